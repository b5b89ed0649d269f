/**
 * The URL of a request as RFC 9449 section 4.3 compares it: without query and fragment, scheme and host in lower case,
 * default port left out, dot segments resolved, percent-encodings in upper case and undone where they stand for an
 * unreserved character (RFC 3986 section 6.2). Undefined for what is no http(s) URL.
 */
export function comparableUrl(text: string): string | undefined {
  if (text.length > MAX_URL || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const { origin, pathname, username, password } = new URL(text);
  if (username !== '' || password !== '') return undefined;
  return origin + normalisedPath(pathname);
}

const MAX_URL = 4096;

function normalisedPath(path: string): string {
  return path.replaceAll(/%([0-9a-f]{2})/gi, (encoded, digits: string) => {
    const character = String.fromCharCode(Number.parseInt(digits, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : encoded.toUpperCase();
  });
}
