import { formOf, readVendorRow, rowBySlug, type VendorRow } from '../cci/index.ts';
import { type CommonFlags, connect } from './connection.ts';
import type { Io } from './io.ts';

/** How long pressing the tab key may wait for a broker, milliseconds. */
const COMPLETION_MS = 500;

/**
 * The reviewed vendor command that the words name, as the broker describes it: the catalogue does not have it. Undefined
 * where the catalogue knows the slug, and where the broker cannot be asked or has no such command.
 */
export async function vendorRowOf(
  io: Io,
  words: readonly string[],
  flags: CommonFlags & { readonly params?: string },
): Promise<VendorRow | undefined> {
  const [slug, ...rest] = words;
  // Parameters as JSON are for the broker to check: one request is enough.
  if (rest.length === 0 && flags.params !== undefined) return undefined;
  if (slug === undefined || slug.startsWith('-') || rowBySlug(slug) !== undefined) return undefined;
  try {
    return (await vendorRows(io, flags)).find((row) => row.slug === slug);
  } catch {
    // That there is no such command is then said in the words for any other typing mistake.
    return undefined;
  }
}

/** For completion: nothing without a token, nothing that takes long, no error. */
export async function vendorRowsAtOnce(io: Io): Promise<readonly VendorRow[]> {
  if ((io.env.CCI_TOKEN ?? '') === '' && (io.env.CCI_TOKEN_FILE ?? '') === '') return [];
  return vendorRows({ ...io, err: () => undefined }, {}, COMPLETION_MS).catch(() => []);
}

/** A broker is not believed: what it says is read as strictly as the policy's own files. */
async function vendorRows(io: Io, flags: CommonFlags, timeoutMs?: number): Promise<readonly VendorRow[]> {
  const { client } = await connect(io, flags, timeoutMs);
  const offered = await client.commands();
  return offered.flatMap(({ slug, vendor }) => {
    if (vendor === undefined) return [];
    const row = readVendorRow(formOf(vendor.definition), () => undefined);
    return row?.slug === slug ? [row] : [];
  });
}
