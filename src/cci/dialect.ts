/** Which of a message's readings a device speaks: the specification's, or that of the 2.0-era library (D01-D03, D09, D11). */
export type Dialect = 'spec' | 'jackrabbit';
