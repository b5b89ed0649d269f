import { describe, expect, test } from 'vitest';
import { formatFinding } from '../../../src/policy/tools.ts';
import { quiet, type Reviewed, reviewed, told } from './reviewed.ts';

const acme = (...rows: string[]): Reviewed => ({ tenants: { acme: `${rows.join('\n')}\n` } });
const globex = (...rows: string[]): Reviewed => ({ tenants: { globex: `${rows.join('\n')}\n` } });
const operators = (...rows: string[]): Reviewed => ({ tenants: { fabric: `${rows.join('\n')}\n` } });
const some = (tenant: string, role = 'role:x') => `g, group:https://idp#some, ${role}, ${tenant}`;

/** Rows, and what is told about them. */
const table: readonly (readonly [name: string, files: Reviewed, told: readonly string[]])[] = [
  ['files in order', {}, []],

  // grant-to-everybody
  [
    'everybody may bind',
    acme('p, role:x, acme, own, bind-vppb, allow', 'g, group:tenant/acme, role:x, acme'),
    ['tenants/acme.csv:1:23 grant-to-everybody'],
  ],
  [
    'everybody may bind by way of another role',
    acme(
      'p, role:x, acme, own, set:virtual-switch, allow',
      'g, role:y, role:x, acme',
      'g, group:tenant/acme, role:y, acme',
    ),
    ['tenants/acme.csv:1:23 grant-to-everybody'],
  ],
  [
    'everybody reads any log, because the slug means all of them',
    acme('p, role:x, acme, own, get-log, allow', 'g, group:tenant/acme, role:x, acme'),
    ['tenants/acme.csv:1:23 grant-to-everybody'],
  ],
  [
    "everybody reads his tenant's own event logs on the switch",
    acme('p, role:x, acme, /switches/sw0, get-event-records, allow', 'g, group:tenant/acme, role:x, acme'),
    [],
  ],
  [
    'everybody sends raw commands',
    acme('p, role:x, acme, own, opcode:0xc010, allow', 'g, group:tenant/acme, role:x, acme'),
    [
      'tenants/acme.csv:1:23 never-applies',
      'tenants/acme.csv:1:23 grant-to-everybody',
      'tenants/acme.csv:1:23 raw-granted',
    ],
  ],
  [
    'everybody is denied something',
    acme('p, role:x, acme, own, bind-vppb, deny', 'g, group:tenant/acme, role:x, acme'),
    [],
  ],

  // grant-reaches-others
  [
    "a tenant's row over the whole switch",
    acme('p, role:x, acme, /switches/sw0/*, class:allowlisted, allow', some('acme')),
    ['tenants/acme.csv:1:18 grant-reaches-others'],
  ],
  [
    'the queries of the switch itself',
    acme('p, role:x, acme, /switches/sw0, class:allowlisted, allow', some('acme')),
    [],
  ],
  [
    "operators change what is a tenant's",
    operators('p, role:x, fabric, /switches/sw0/ports/0, physical-port-control, allow', some('fabric')),
    ['tenants/fabric.csv:1:20 grant-reaches-others'],
  ],
  [
    "operators look at what is a tenant's, and change what is theirs",
    operators(
      'p, role:x, fabric, /switches/sw0/*, class:allowlisted, allow',
      'p, role:x, fabric, /switches/sw0/ports/3, scope:<=2, allow',
      some('fabric'),
    ),
    [],
  ],

  // radius-beyond-own
  [
    'a tenant divides a device that another one shares',
    acme('p, role:x, acme, own, set-ld-allocations, allow', some('acme')),
    ['tenants/acme.csv:1:23 radius-beyond-own'],
  ],
  [
    '... by the path of his part',
    acme('p, role:x, acme, /switches/sw0/ports/2/lds/0, set:mld-components, allow', some('acme')),
    ['tenants/acme.csv:1:47 radius-beyond-own'],
  ],
  [
    '... not by a path where he shares nothing',
    acme('p, role:x, acme, /switches/sw0/ports/0, perform-maintenance, allow', some('acme')),
    [],
  ],
  [
    'operators act on the switch as a whole',
    {
      ...operators('p, role:x, fabric, /switches/sw0, transfer-fw, allow', some('fabric')),
      profile: 'bmc',
    },
    ['tenants/fabric.csv:1:35 radius-beyond-own'],
  ],

  [
    'operators abort operations of anybody, which in profile host they can not',
    operators('p, role:x, fabric, /switches/sw0, request-abort-background-operation, allow', some('fabric')),
    ['tenants/fabric.csv:1:35 never-applies', 'tenants/fabric.csv:1:35 radius-beyond-own'],
  ],
  [
    'a tenant divides a device of which a tree covers his part',
    acme('p, role:x, acme, /switches/sw0/ports/2/*, set-ld-allocations, allow', some('acme')),
    ['tenants/acme.csv:1:18 grant-reaches-others', 'tenants/acme.csv:1:43 radius-beyond-own'],
  ],
  [
    'a tenant divides a device that is all his',
    {
      ...acme('p, role:x, acme, own, set-ld-allocations, allow', some('acme')),
      fabric:
        'switches: { sw0: { ports: [{ ids: 0, lds: 2 }, { ids: 1 }] } }\ntenants: { acme: { owns: [/switches/sw0/ports/0] }, globex: { owns: [/switches/sw0/ports/1] } }\n',
    },
    [],
  ],
  [
    'one port that nobody owns, and is told with what to do',
    {
      fabric:
        'switches: { sw0: { ports: [{ ids: 0 }, { ids: 1 }, { ids: 2 }] } }\ntenants: { acme: { owns: [/switches/sw0/ports/0] }, globex: { owns: [/switches/sw0/ports/1] } }\n',
    },
    ['fabric.yaml:1:52 resource-nobody-owns'],
  ],

  // raw-granted, opaque-granted
  [
    'a range of opcodes, in profile bmc',
    {
      ...operators('p, role:x, fabric, /switches/sw0/ports/3, opcode:0xc010-0xc01f, allow', some('fabric')),
      profile: 'bmc',
    },
    ['tenants/fabric.csv:1:43 raw-granted'],
  ],
  [
    'an opcode that may be typed as well, in profile host',
    acme('p, role:x, acme, own, opcode:0x5201, allow', some('acme')),
    ['tenants/acme.csv:1:23 raw-granted'],
  ],
  [
    'a command that nobody can judge, in profile bmc',
    { ...operators('p, role:x, fabric, /switches/sw0/ports/3, set-feature, allow', some('fabric')), profile: 'bmc' },
    ['tenants/fabric.csv:1:43 opaque-granted'],
  ],

  // never-applies
  [
    '... which in profile host can never run',
    operators('p, role:x, fabric, /switches/sw0/ports/3, set-feature, allow', some('fabric')),
    ['tenants/fabric.csv:1:43 never-applies', 'tenants/fabric.csv:1:43 opaque-granted'],
  ],
  [
    'a log beside the effects log can be read, and so can an own operation be ended',
    acme(
      'p, role:x, acme, own, get-log, allow',
      'p, role:x, acme, own, get-supported-logs, allow',
      'p, role:x, acme, own, clear-log, allow',
      'p, role:x, acme, /switches/sw0, request-abort-background-operation, allow',
      some('acme'),
    ),
    [],
  ],
  [
    "a path that is another tenant's",
    acme('p, role:x, acme, /switches/sw0/ports/1, bind-vppb, allow', some('acme')),
    ['tenants/acme.csv:1:18 never-applies'],
  ],
  [
    'a command that touches nothing of the kind',
    acme('p, role:x, acme, /switches/sw0/vcss/0, physical-port-control, allow', some('acme')),
    ['tenants/acme.csv:1:40 never-applies'],
  ],
  [
    '... below a tree of several kinds',
    acme('p, role:x, acme, /switches/sw0/vcss/0/*, physical-port-control, allow', some('acme')),
    ['tenants/acme.csv:1:42 never-applies'],
  ],
  [
    'a row that denies what is touched nowhere there',
    acme('p, role:x, acme, /switches/sw0/vcss/0, physical-port-control, deny', some('acme')),
    ['tenants/acme.csv:1:40 never-applies'],
  ],
  [
    "a row that denies on what is another tenant's may wait for the day it changes hands",
    acme('p, role:x, acme, /switches/sw0/ports/1, bind-vppb, deny', some('acme')),
    [],
  ],
  [
    'a mandatory row for the other profile',
    {
      mandatory:
        'p2, P20, *, *, bmc, *, *, *, bind-vppb, deny, not here\np2, P21, *, *, host|bmc, *, *, *, bind-vppb if bound, deny, here\n',
    },
    ['mandatory.csv:55:16 never-applies'],
  ],
  [
    'a mandatory row that spares some opcodes of a range, in profile bmc',
    {
      ...operators(
        'p, role:x, fabric, /switches/sw0/ports/3, opcode:0xc000-0xc0ff, allow',
        'p, role:x, fabric, /switches/sw0/ports/3, opcode:0xc100-0xc1ff, allow',
        some('fabric'),
      ),
      profile: 'bmc',
      mandatory: 'p2, P20, *, *, *, raw, *, *, opcode:0xc000-0xc07f|opcode:0xc100-0xc1ff, deny, not here\n',
    },
    [
      'tenants/fabric.csv:1:43 raw-granted',
      'tenants/fabric.csv:2:43 never-applies',
      'tenants/fabric.csv:2:43 raw-granted',
    ],
  ],

  // shadowed, redundant
  [
    'a row that another one denies',
    acme(
      'p, role:x, acme, /switches/sw0/vcss/0, unbind-vppb, allow',
      'p, role:x, acme, own, set:virtual-switch, deny',
      some('acme'),
    ),
    ['tenants/acme.csv:1:40 never-applies', 'tenants/acme.csv:1:53 shadowed'],
  ],
  [
    '... to everybody',
    acme(
      'p, role:x, acme, own, bind-vppb, allow',
      'p, role:all, acme, /switches/*, bind-vppb, deny',
      some('acme'),
      'g, group:tenant/acme, role:all, acme',
    ),
    ['tenants/acme.csv:1:34 shadowed'],
  ],
  [
    '... not when only somebody else is denied',
    acme(
      'p, role:x, acme, own, bind-vppb, allow',
      'p, role:y, acme, own, bind-vppb, deny',
      some('acme'),
      some('acme', 'role:y'),
    ),
    [],
  ],
  [
    'raw commands that a class or a range denies',
    {
      ...operators(
        'p, role:x, fabric, own, opcode:0xc010, allow',
        'p, role:x, fabric, own, class:raw, deny',
        'p, role:y, fabric, own, opcode:0xc010-0xc011, allow',
        'p, role:y, fabric, own, opcode:0xc011-0xc0ff, deny',
        some('fabric'),
        some('fabric', 'role:y'),
      ),
      profile: 'bmc',
    },
    ['tenants/fabric.csv:1:25 raw-granted', 'tenants/fabric.csv:1:40 shadowed', 'tenants/fabric.csv:3:25 raw-granted'],
  ],
  [
    'a row of which a wider one says all',
    acme(
      'p, role:x, acme, /switches/sw0/ports/0, bind-vppb, allow',
      'p, role:x, acme, own, set:virtual-switch, allow',
      some('acme'),
    ),
    ['tenants/acme.csv:1:4 redundant'],
  ],
  [
    'two rows that say the same of all that is there: the later one',
    acme(
      'p, role:x, acme, own, scope:1, allow',
      'p, role:x, acme, own, scope:1, deny',
      'p, role:x, acme, own, scope:<=1, deny',
      some('acme'),
    ),
    ['tenants/acme.csv:1:32 shadowed', 'tenants/acme.csv:2:4 redundant'],
  ],
  [
    'two roles that each give the same are two roles',
    acme(
      'p, role:x, acme, own, bind-vppb, allow',
      'p, role:y, acme, own, bind-vppb, allow',
      some('acme'),
      some('acme', 'role:y'),
    ),
    [],
  ],
  [
    'one role that has another which gives it too',
    acme(
      'p, role:x, acme, own, bind-vppb, allow',
      'p, role:y, acme, own, bind-vppb, allow',
      'g, role:y, role:x, acme',
      some('acme', 'role:y'),
    ),
    ['tenants/acme.csv:2:4 redundant'],
  ],
  [
    'a tree within a tree',
    operators(
      'p, role:x, fabric, /switches/sw0/ports/2/*, class:allowlisted, allow',
      'p, role:x, fabric, /switches/*, class:allowlisted, allow',
      some('fabric'),
    ),
    ['tenants/fabric.csv:1:4 redundant'],
  ],

  // role-nobody-has
  [
    'a role without callers, told once',
    acme('p, role:x, acme, own, bind-vppb, allow', 'p, role:x, acme, own, unbind-vppb, allow'),
    ['tenants/acme.csv:1:4 role-nobody-has'],
  ],
  [
    'a role that only another such role has',
    acme('p, role:x, acme, own, bind-vppb, allow', 'g, role:y, role:x, acme'),
    ['tenants/acme.csv:1:4 role-nobody-has', 'tenants/acme.csv:2:4 role-nobody-has'],
  ],

  // wider-than-fabric
  [
    'everything below an object with nothing below',
    acme('p, role:x, acme, /switches/sw0/ports/2/lds/0/*, get-health-info, allow', some('acme')),
    ['tenants/acme.csv:1:18 wider-than-fabric'],
  ],
  [
    '... but hosts and tags come and go below a port',
    acme('p, role:x, acme, /switches/sw0/ports/0/*, get-dcd-info, allow', some('acme')),
    [],
  ],
  [
    'what is own of a tenant that owns nothing',
    {
      ...globex('p, role:x, globex, own, bind-vppb, allow', some('globex')),
      fabric:
        'switches: { sw0: { ports: [{ ids: 0 }] } }\ntenants: { acme: { owns: [/switches/sw0/ports/0] }, globex: {} }\n',
    },
    ['tenants/globex.csv:1:20 wider-than-fabric'],
  ],

  // the fabric file
  ['a tenant that may do nothing', { tenants: { globex: '' } }, ['fabric.yaml:15:3 tenant-without-rules']],
  [
    'operators that may do nothing, listed or not',
    {
      tenants: { fabric: '' },
      fabric:
        'switches: { sw0: { ports: [{ ids: 0 }] } }\ntenants:\n  acme: { owns: [/switches/sw0/ports/0] }\n  globex: {}\n',
    },
    ['fabric.yaml:2:1 tenant-without-rules', 'tenants/globex.csv:1:25 wider-than-fabric'],
  ],
  [
    'objects that nobody owns',
    {
      fabric: `switches:
  sw0:
    ports:
      - { ids: 0-2, lds: 2 }
      - { ids: 3-5 }
    vcss:
      - { ids: 0-1, vppbs: 2 }
tenants:
  acme: { owns: [/switches/sw0/ports/0, /switches/sw0/ports/1/lds/0, /switches/sw0/vcss/0] }
  globex: { owns: [/switches/sw0/vcss/1] }
  fabric: { owns: [/switches/sw0/ports/3, /switches/sw0/ports/2] }
`,
    },
    ['fabric.yaml:4:9 resource-nobody-owns', 'fabric.yaml:5:9 resource-nobody-owns'],
  ],
];

describe('a reviewer asks about', () => {
  test.each(table)('%s', async (_name, files, expected) => {
    expect(told(await reviewed(files))).toEqual(expected);
  });

  test('each finding with its text, a reason and what to do', async () => {
    const [found] = await reviewed(
      acme('p, role:x, acme, own, bind-vppb, allow', 'g, group:tenant/acme, role:x, acme'),
    );
    expect(found).toEqual({
      code: 'grant-to-everybody',
      level: 'warning',
      file: 'tenants/acme.csv',
      line: 1,
      column: 23,
      text: 'bind-vppb',
      reason: 'every caller of acme has role:x, and `bind-vppb` is more than the safe reads: bind-vppb',
      help: 'give a role of its own to those who need it, with a `g` row for their group',
    });
  });

  test('in lines for people: the finding, and what to do', async () => {
    const found = await reviewed({ tenants: { globex: '' } });
    expect(found.map(formatFinding)).toEqual([
      'fabric.yaml:15:3: tenant-without-rules: no row grants anything to globex\n  help: write `tenants/globex.csv`, beginning with `p, role:reader, globex, own, class:allowlisted, allow`',
    ]);
  });

  test('many commands by naming a few', async () => {
    const [found] = await reviewed(
      acme('p, role:x, acme, own, scope:<=3, allow', 'g, group:tenant/acme, role:x, acme'),
    );
    expect(found?.reason).toMatch(/: [a-z-]+, [a-z-]+, [a-z-]+ and \d+ more$/);
  });

  test('the very many rows of one role about one object not one by one', async () => {
    const rows = Array.from(
      { length: 2001 },
      (_, i) => `p, role:x, fabric, own, opcode:0x${(0xc000 + i).toString(16)}, deny`,
    );
    const files = operators('p, role:x, fabric, own, opcode:0xc000, allow', ...rows, some('fabric'));
    expect(told(await reviewed({ ...files, profile: 'bmc' }))).toEqual(['tenants/fabric.csv:1:25 raw-granted']);
  });

  test('nothing in quiet files of either profile', async () => {
    expect(await reviewed({ tenants: quiet, profile: 'bmc' })).toEqual([]);
  });
});
