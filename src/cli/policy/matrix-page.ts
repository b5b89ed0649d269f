import type { Matrix, MatrixRow } from '../../policy/meaning/index.ts';

const STYLE = `
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --no: #c62828; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; } .meta { opacity: .75; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding: .25rem 0; opacity: .75; }
th, td { border: 1px solid var(--line); padding: .4rem .6rem; text-align: left; vertical-align: top; }
thead th { background: var(--soft); } tbody th { font-weight: 600; overflow-wrap: anywhere; min-width: 12rem; }
td.not { color: var(--no); font-weight: 600; white-space: nowrap; } td.may { white-space: nowrap; }
ul { list-style: none; margin: 0; padding: 0; } li + li { margin-top: .15rem; }
code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
small { font-weight: 400; opacity: .75; display: block; }
details summary { cursor: pointer; }
@media print { body { margin: 0; max-width: none; } thead { display: table-header-group; } }
`;

/** What was asked for, for the head of the page. */
export interface PageFilter {
  readonly tenant?: string | undefined;
  readonly command?: string | undefined;
  readonly resource?: string | undefined;
}

/** Control and direction characters would make a reader see something else than what is there. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const ENTITIES: { readonly [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as HTML text or as a quoted attribute. */
export function escapeHtml(text: string): string {
  const visible = text.replace(HIDDEN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
  return visible.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/**
 * The matrix as one page: no script, nothing loaded from anywhere, and a policy in the page that would refuse both. Every
 * text of the policy is escaped.
 */
export function matrixPage({ rows, without, profile, snapshot }: Matrix, filter: PageFilter): string {
  const tenants = [...new Set(rows.map(({ tenant }) => tenant))];
  const filters = Object.entries(filter).flatMap(([name, text]) =>
    text === undefined ? [] : [`${name} <code>${escapeHtml(text)}</code>`],
  );
  const contents = tenants.map((tenant) => `<a href="#tenant-${escapeHtml(tenant)}">${escapeHtml(tenant)}</a>`);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Who can do what</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>Who can do what</h1>
<p class="meta">Policy snapshot <code>${escapeHtml(snapshot)}</code>, profile <code>${profile}</code>${
    filters.length === 0 ? '' : `; only ${filters.join(', ')}`
  }.</p>
<p class="meta">Ownership and grants together, less what mandatory rows of this profile deny at any time. A token's scope, lockdown, taint and what is bound to what can take away from it, nothing adds to it.</p>
<nav aria-label="tenants"><p>${contents.join(' · ')}</p></nav>
</header>
<main>
${tenants
  .map((tenant) =>
    section(
      tenant,
      rows.filter((row) => row.tenant === tenant),
    ),
  )
  .join('\n')}
${without.length === 0 ? '' : `<h2>Without anything</h2>\n<p>${without.map(escapeHtml).join(', ')}</p>`}
</main>
</body>
</html>
`;
}

function section(tenant: string, rows: readonly MatrixRow[]): string {
  const name = escapeHtml(tenant);
  const groups = [...new Set(rows.map(({ who }) => who))].map((who) => rows.filter((row) => row.who === who));
  return `<section aria-labelledby="tenant-${name}">
<h2 id="tenant-${name}">Tenant ${name}</h2>
<div class="wide"><table>
<caption>What everybody of the tenant may is not said again for a name that has it too.</caption>
<thead><tr><th scope="col">Who</th><th scope="col"></th><th scope="col">Commands</th><th scope="col">On</th><th scope="col">By</th></tr></thead>
${groups.map((group) => `<tbody>\n${group.map((row, i) => line(row, i, group.length)).join('\n')}\n</tbody>`).join('\n')}
</table></div>
</section>`;
}

function line(
  { tenant, who, also, roles, kind, commands, resources, sources }: MatrixRow,
  i: number,
  span: number,
): string {
  const shown = who === `group:tenant/${tenant}` ? `everybody of ${tenant}` : who;
  const others = also.length === 0 ? '' : `<details><summary>and ${also.length} more</summary>${list(also)}</details>`;
  const head =
    i > 0
      ? ''
      : `<th scope="rowgroup" rowspan="${span}">${escapeHtml(shown)}<small>${roles.map(escapeHtml).join(', ')}</small>${others}</th>`;
  const verdict = kind === 'may' ? '<td class="may">may</td>' : '<td class="not">may not</td>';
  return `<tr>${head}${verdict}<td>${list(commands)}</td><td>${list(resources)}</td><td>${list(sources)}</td></tr>`;
}

function list(texts: readonly string[]): string {
  return `<ul>${texts.map((text) => `<li><code>${escapeHtml(text)}</code></li>`).join('')}</ul>`;
}
