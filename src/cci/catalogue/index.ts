import type { Layout, ValueOf } from '../layout.ts';
import type { CommandRow } from './row.ts';
import { set00 } from './set-00-information-and-status.ts';
import { set01 } from './set-01-events.ts';
import { set02 } from './set-02-firmware-update.ts';
import { set03 } from './set-03-timestamp.ts';
import { set04 } from './set-04-logs.ts';
import { set05 } from './set-05-features.ts';
import { set06 } from './set-06-maintenance.ts';
import { set07 } from './set-07-pbr-components.ts';
import { set40 } from './set-40-identify-memory-device.ts';
import { set41 } from './set-41-capacity-configuration-and-label-storage.ts';
import { set42 } from './set-42-health-info-and-alerts.ts';
import { set43 } from './set-43-media-and-poison-management.ts';
import { set44 } from './set-44-sanitize-and-media-operations.ts';
import { set45 } from './set-45-persistent-memory-data-at-rest-security.ts';
import { set46 } from './set-46-security-passthrough.ts';
import { set47 } from './set-47-sld-qos-telemetry.ts';
import { set48 } from './set-48-dynamic-capacity.ts';
import { set49 } from './set-49-gfd-component-management.ts';
import { set51 } from './set-51-physical-switch.ts';
import { set52 } from './set-52-virtual-switch.ts';
import { set53 } from './set-53-mld-port.ts';
import { set54 } from './set-54-mld-components.ts';
import { set55 } from './set-55-multi-headed-devices.ts';
import { set56 } from './set-56-dcd-management.ts';
import { set57 } from './set-57-pbr-switch.ts';
import { set58 } from './set-58-global-memory-access-endpoint.ts';
import { set59 } from './set-59-global-memory-access-endpoint-management.ts';

export type {
  CommandRow,
  Component,
  Review,
  Scope,
  SizeRange,
  Support,
  Touches,
  VendorTerms,
} from './row.ts';

/** Every command of CXL r3.1 that a Switch CCI or a component behind it can be sent, ascending by opcode. */
export const catalogue = [
  ...set00,
  ...set01,
  ...set02,
  ...set03,
  ...set04,
  ...set05,
  ...set06,
  ...set07,
  ...set40,
  ...set41,
  ...set42,
  ...set43,
  ...set44,
  ...set45,
  ...set46,
  ...set47,
  ...set48,
  ...set49,
  ...set51,
  ...set52,
  ...set53,
  ...set54,
  ...set55,
  ...set56,
  ...set57,
  ...set58,
  ...set59,
] as const;

type Rows = (typeof catalogue)[number];
/** Every slug. */
export type Slug = Rows['slug'];
type RowOf<S extends Slug> = Extract<Rows, { slug: S }>;
/** Slugs of rows with a codec. */
export type TypedSlug = { [S in Slug]: RowOf<S>['request'] extends Layout ? S : never }[Slug];
/** The parameters of a command. */
export type Params<S extends TypedSlug> = RowOf<S>['request'] extends Layout<infer F> ? ValueOf<F> : never;
/** The result of a command. */
export type Reply<S extends TypedSlug> = RowOf<S>['response'] extends Layout<infer F> ? ValueOf<F> : never;

const bySlug = new Map<string, CommandRow>(catalogue.map((row) => [row.slug, row]));
const byOpcode = new Map<number, CommandRow>(catalogue.map((row) => [row.opcode, row]));

/** The row of a slug, or undefined. */
export function rowBySlug(slug: string): CommandRow | undefined {
  return bySlug.get(slug);
}

/** The row of an opcode, or undefined: reserved and vendor opcodes have none. */
export function rowByOpcode(opcode: number): CommandRow | undefined {
  return byOpcode.get(opcode);
}

/** A row whose payloads have layouts, so that it can be submitted by name. */
export type TypedRow = CommandRow & { readonly request: Layout; readonly response: Layout };

export function isTyped(row: CommandRow): row is TypedRow {
  return row.request !== null && row.response !== null;
}
