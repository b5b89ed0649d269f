/** Names of coded values. A request may carry only these; a reply's unknown code stays a number. */
export const enums = {
  cci_message_category: { 0: 'request', 1: 'response' },
  component_type: { 0: 'switch', 3: 'type-3-device', 4: 'gfd' },
  event_log: { 0: 'informational', 1: 'warning', 2: 'failure', 3: 'fatal', 4: 'dynamic-capacity' },
  event_interrupt_mode: { 0: 'none', 1: 'msi-or-msi-x', 2: 'firmware-interrupt' },
  fw_transfer_action: { 0: 'full', 1: 'initiate', 2: 'continue', 3: 'end', 4: 'abort' },
  fw_activate_action: { 0: 'online', 1: 'next-cold-reset' },
  feature_selection: { 0: 'current', 1: 'default', 2: 'saved' },
  set_feature_action: { 0: 'full', 1: 'initiate', 2: 'continue', 3: 'finish', 4: 'abort' },
  maintenance_operation_class: { 0: 'no-operation', 1: 'post-package-repair', 2: 'memory-sparing' },
  port_configuration_state: {
    0: 'disabled',
    1: 'bind-in-progress',
    2: 'unbind-in-progress',
    3: 'dsp',
    4: 'usp',
    5: 'fabric-link',
    15: 'invalid-port-id',
  },
  connected_device_mode: {
    0: 'not-cxl-or-disconnected',
    1: 'rcd',
    2: '68b-flit-and-vh',
    3: 'standard-256b-flit',
    4: 'latency-optimized-256b-flit',
    5: 'pbr',
  },
  connected_device_type: {
    0: 'none',
    1: 'pcie-device',
    2: 'type-1',
    3: 'type-2-or-hbr-switch',
    4: 'type-3-sld',
    5: 'type-3-mld',
    6: 'pbr-component',
  },
  ltssm_state: {
    0: 'detect',
    1: 'polling',
    2: 'configuration',
    3: 'recovery',
    4: 'l0',
    5: 'l0s',
    6: 'l1',
    7: 'l2',
    8: 'disabled',
    9: 'loopback',
    10: 'hot-reset',
  },
  link_speed: { 1: '2.5-gt', 2: '5-gt', 3: '8-gt', 4: '16-gt', 5: '32-gt', 6: '64-gt' },
  port_control_opcode: { 0: 'assert-perst', 1: 'deassert-perst', 2: 'reset-ppb' },
  config_transaction_type: { 0: 'read', 1: 'write' },
  secret_value_state: { 0: 'not-set', 1: 'set' },
  vcs_state: { 0: 'disabled', 1: 'enabled', 255: 'invalid-vcs-id' },
  vppb_binding_status: {
    0: 'unbound',
    1: 'bind-or-unbind-in-progress',
    2: 'bound-to-physical-port',
    3: 'bound-to-ld',
    4: 'bound-to-pid',
  },
  unbind_option: { 0: 'wait-for-link-down', 1: 'managed-hot-remove', 2: 'surprise-hot-remove' },
  tunnel_target_type: { 0: 'port-or-ld', 1: 'ld-pool-cci' },
  memory_granularity: { 0: '256-mib', 1: '512-mib', 2: '1-gib' },
  dc_add_selection_policy: { 0: 'free', 1: 'contiguous', 2: 'prescriptive', 3: 'enable-shared-access' },
  dc_removal_policy: { 0: 'tag-based', 1: 'prescriptive' },
  media_status: {
    0: 'normal',
    1: 'not-ready',
    2: 'write-persistency-lost',
    3: 'all-data-lost',
    4: 'write-persistency-loss-on-power-loss',
    5: 'write-persistency-loss-on-shutdown',
    6: 'write-persistency-loss-imminent',
    7: 'all-data-loss-on-power-loss',
    8: 'all-data-loss-on-shutdown',
    9: 'all-data-loss-imminent',
  },
  media_error_source: { 0: 'unknown', 1: 'external', 2: 'internal', 3: 'injected', 7: 'vendor-specific' },
  media_operation_class: { 0: 'general', 1: 'sanitize' },
  passphrase_type: { 0: 'master', 1: 'user' },
  physical_switch_event_type: { 0: 'link-state-change', 1: 'slot-status-register-updated' },
  virtual_switch_event_type: {
    0: 'binding-change',
    1: 'secondary-bus-reset',
    2: 'link-control-register-updated',
    3: 'slot-control-register-updated',
  },
  mld_port_event_type: { 0: 'correctable-error-message', 1: 'nonfatal-error-message', 2: 'fatal-error-message' },
  dynamic_capacity_event_type: {
    0: 'add-capacity',
    1: 'release-capacity',
    2: 'forced-release-capacity',
    3: 'region-configuration-updated',
    4: 'add-capacity-response',
    5: 'capacity-released',
  },
  mctp_message_type: { 5: 'spdm', 6: 'secured-message', 7: 'cxl-fm-api', 8: 'cxl-cci' },
} as const satisfies Record<string, Record<number, string>>;

export type EnumName = keyof typeof enums;

/** Codes and their names as a reviewed vendor command brings them along. */
export interface NamedCodes {
  readonly [code: string]: string;
}
/** A table of this file by its name, or one that a layout written at run time holds itself. */
export type EnumRef = EnumName | NamedCodes;

interface CodeTable {
  readonly texts: ReadonlyMap<number, string>;
  readonly codes: ReadonlyMap<string, number>;
}

const tables: ReadonlyMap<string, CodeTable> = new Map(
  Object.entries(enums).map(([name, named]) => [name, codeTable(named)]),
);

const NO_TABLE: CodeTable = { texts: new Map(), codes: new Map() };
const ownTables = new WeakMap<NamedCodes, CodeTable>();

function codeTable(named: NamedCodes): CodeTable {
  const entries = Object.entries(named).map(([code, text]) => [Number(code), text] as const);
  return { texts: new Map(entries), codes: new Map(entries.map(([code, text]) => [text, code])) };
}

/** Name of a code, or undefined. */
export function enumText(name: EnumRef, code: number): string | undefined {
  return tableOf(name).texts.get(code);
}

/** Code of a name, or undefined. */
export function enumCode(name: EnumRef, text: string): number | undefined {
  return tableOf(name).codes.get(text);
}

/** All names, ascending by code. */
export function enumNames(name: EnumRef): readonly string[] {
  return [...tableOf(name).codes.keys()];
}

// A layout written at run time (a reviewed vendor row) may name an enum that is not here: it has no names.
function tableOf(name: EnumRef): CodeTable {
  if (typeof name === 'string') return tables.get(name) ?? NO_TABLE;
  const known = ownTables.get(name) ?? codeTable(name);
  ownTables.set(name, known);
  return known;
}
