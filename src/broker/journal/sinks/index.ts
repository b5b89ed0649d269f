export { type OtlpAddress, otlpTransport } from './otlp.ts';
export { type Loss, Sink, type SinkOptions } from './sink.ts';
export { SinkJournal } from './sink-journal.ts';
export { streamTransport } from './stdout.ts';
export type { SyslogHeader } from './syslog-message.ts';
export { type StreamAddress, syslogStream } from './syslog-stream.ts';
export { syslogUdp } from './syslog-udp.ts';
export type { SinkTransport } from './transport.ts';
