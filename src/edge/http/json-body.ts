import type { FastifyBodyParser, FastifyInstance, FastifyRequest } from 'fastify';
import type { TransportProblem } from './problems.ts';

/** A body that is refused before it is parsed. */
export class BodyRefused extends Error {
  readonly problem: TransportProblem;
  constructor(problem: TransportProblem) {
    super(problem);
    this.problem = problem;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Does the text open more than `limit` objects and arrays inside each other? Looks at bytes, parses nothing. */
export function nestsDeeperThan(limit: number, text: Uint8Array): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i];
    if (inString) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
  return false;
}

/**
 * The one body parser of the edge: JSON in UTF-8, depth-limited, `__proto__` and `constructor.prototype` refused.
 * Every other content type is refused by having no parser.
 */
export function addJsonParser(app: FastifyInstance, depth: number): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  app.removeAllContentTypeParsers();
  const parser: FastifyBodyParser<Buffer> = (request: FastifyRequest, body: Buffer, done) => {
    if (nestsDeeperThan(depth, body)) return done(new BodyRefused('deepJson'));
    let text: string;
    try {
      text = decoder.decode(body);
    } catch {
      return done(new BodyRefused('badJson'));
    }
    parse(request, text, done);
  };
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, parser);
}
