import { type Static, Type } from '../../../schema/index.ts';
import { PCI_ADDRESS } from '../../devices/pci-address.ts';

/** A Switch CCI of this host through the BAR file that the kernel shows in sysfs. */
export const SysfsOptions = Type.Object(
  {
    address: Type.Optional(
      Type.String({
        pattern: PCI_ADDRESS,
        description: 'PCI address, such as 0000:0d:00.1; the only Switch CCI of the machine if not given',
      }),
    ),
  },
  { additionalProperties: false },
);

export type SysfsOptions = Static<typeof SysfsOptions>;
