import { isIPv6 } from 'node:net';

/**
 * Whom failures are counted against: the address without its port; of an IPv6 address the network (/64), which one
 * customer has for himself. Addresses of IPv4 within IPv6 are those of IPv4. What is no address counts under one name.
 */
export function sourceGroup(source: string): string {
  const bare = withoutPort(source);
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(bare)) return bare;
  const address = bare.replace(/%.*$/, '');
  if (!isIPv6(address)) return 'unknown';
  const groups = expand(address);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high = 0, low = 0] = groups.slice(6);
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** `1.2.3.4:5`, `[::1]:5`, and `::1:5`, as an address and a port are simply put together. */
function withoutPort(source: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(source)?.[1];
  if (bracketed !== undefined) return bracketed;
  const colon = source.lastIndexOf(':');
  return colon < 0 || !/^\d{1,5}$/.test(source.slice(colon + 1)) ? source : source.slice(0, colon);
}

/** The eight groups of an address that is known to be one. */
function expand(address: string): readonly number[] {
  const [head = '', tail] = address.split('::');
  const front = groupsOf(head);
  if (tail === undefined) return front;
  const back = groupsOf(tail);
  return [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
}

function groupsOf(part: string): readonly number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
