/**
 * The mandatory rows as shipped, without their reasons: LEVEL, TAINT, PROFILE, CLASS, SCOPE, REACH, COMMAND, EFFECT after
 * the id. A policy that lacks one of them, or has changed it, is looser than what was reviewed; that is noticed by content,
 * so that neither a new line order nor a reworded reason counts, and a removed row does.
 */
export const shippedMandatory: readonly (readonly [id: string, ...columns: string[]])[] = [
  ['A0', '*', '*', '*', '*', '*', '*', '*', 'allow'],
  ['L1', 'integrity', '*', '*', 'raw', '*', '*', '*', 'deny'],
  ['L2', 'integrity', '*', '*', '*', '*', '*', 'opcode:0x5103|opcode:0x5301|opcode:0x5302', 'deny'],
  ['L3', 'integrity', '*', '*', '*', '*', '*', 'opcode:0x0201|opcode:0x0202', 'deny'],
  ['L4', 'integrity', '*', '*', '*', '*', '*', 'opcode:0x5203|opcode:0x4301', 'deny'],
  ['L4', 'integrity', '*', '*', '*', '*', '*', 'opcode:0x0502 if immediate-effect', 'deny'],
  ['L5', 'integrity', '*', '*', '*', '*', '*', '* if leaves-tenant', 'deny'],
  ['L5', 'confidentiality', '*', '*', '*', '*', '*', '* if crosses-tenants', 'deny'],
  ['L6', 'confidentiality', '*', '*', '*', '*', '*', '* if other-log', 'deny'],
  ['L6', 'confidentiality', '*', '*', '*', '*', '*', 'opcode:0x0404|opcode:0x4102|opcode:0x5107', 'deny'],
  ['L8', 'integrity', '*', '*', 'audited|raw', '*', '*', '* if under-lockdown-reads', 'deny'],
  ['L8', 'integrity', '*', '*', '*', '*', '*', '* if under-lockdown-off', 'deny'],
  ['T1', '*', 'X|M', '*', 'audited|raw', '*', '*', '*', 'deny'],
  ['P1', '*', '*', 'host', 'raw', '*', '*', '*', 'deny'],
  ['P2', '*', '*', '*', '*', '*', '>=cross-tenant', '* if caller-not-fabric', 'deny'],
  ['P3', '*', '*', 'host', '*', '*', '>=switch', '*', 'deny'],
  ['B1', '*', '*', '*', '*', '*', '*', 'opcode:0x5103|opcode:0x5301|opcode:0x5302 if bound', 'deny'],
  ['B2', '*', '*', '*', '*', '*', '*', 'opcode:0x5102 if bound-without-mld', 'deny'],
  ['Q1', '*', '*', '*', '*', '*', '*', '* if quirk', 'deny'],
];
