import type { DurableRecord } from '../contract.ts';

/** What is the same in all messages of a sink. */
export interface SyslogHeader {
  readonly facility: number;
  readonly hostname: string;
  readonly procid: string;
}

const APP_NAME = 'cci-broker';
const NOTICE = 5;
const INFORMATIONAL = 6;
/** `"at":"..."` is the third member of every record. */
const TIME = /^\{"v":1,"seq":\d+,"at":"([^"]+)"/;

/**
 * One RFC 5424 message: the record as it is, as the message; its time, and its kind as MSGID.
 * @returns UTF-8, without any framing
 */
export function syslogMessage({ kind, text }: DurableRecord, header: SyslogHeader): Buffer {
  const { facility, hostname, procid } = header;
  const severity = kind === 'checkpoint' ? INFORMATIONAL : NOTICE;
  const at = TIME.exec(text)?.[1] ?? '-';
  const host = printable(hostname, 255);
  const line = text.trimEnd();
  return Buffer.from(`<${facility * 8 + severity}>1 ${at} ${host} ${APP_NAME} ${procid} ${kind} - ${line}`);
}

/** RFC 6587: the length in bytes before each message, so that no content can end one. */
export function octetCounted(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}

function printable(text: string, longest: number): string {
  const kept = text.replaceAll(/[^\x21-\x7e]/g, '').slice(0, longest);
  return kept === '' ? '-' : kept;
}
