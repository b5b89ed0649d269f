import type { Faults } from './types.ts';

const LATE = { status: 408, code: 'EPARAM', detail: 'the request did not arrive in time' } as const;
const CLOSED = { socket: 'closed' } as const;
const TOO_MUCH = { status: 431, code: 'EPARAM', detail: 'the headers are larger than is allowed' } as const;
const OTHERS = { who: 'everybody else meanwhile', status: 200 } as const;

export const networkFaults = {
  slow: {
    title: 'Slow clients (slow-loris)',
    done: 'clients that send half a header; nothing at all, and neither read nor close; half a body; half a TLS handshake; an HTTP/2 preface alone; half a body over HTTP/2; half a WebSocket frame',
    sees: {
      header: { who: 'half a header', ...LATE },
      nothing: { who: 'nothing, and reads nothing', ...CLOSED },
      body: { who: 'half a body', ...LATE },
      handshake: { who: 'half a TLS handshake', ...CLOSED },
      preface: { who: 'an HTTP/2 preface', ...CLOSED },
      http2: { who: 'half a body over HTTP/2', text: 'answered with 408, RST_STREAM', status: 408 },
      frame: { who: 'half a WebSocket frame', ...CLOSED, text: 'two pings go unanswered' },
      others: OTHERS,
    },
    kept: 'everything: none of these became a request',
    recovers: 'by itself; each holds one of 1024 connections until its time is up',
    figures: {
      headerMs: 'header # ms',
      nothingMs: 'nothing # ms',
      bodyMs: 'body # ms',
      handshakeMs: 'handshake # ms',
      prefaceMs: 'preface # ms',
      http2Ms: 'HTTP/2 body # ms',
      frameMs: 'frame # ms',
    },
    runs: 'plain',
  },
  'half-open': {
    title: 'A peer that vanishes (half-open connection)',
    done: 'a client with an open stream loses its address, so that no packet reaches either side any more; the pings of streams are every 400 ms instead of 30 s',
    sees: { others: OTHERS },
    kept: 'everything: what the vanished client had waiting is taken back, what was sent is recorded',
    recovers: 'by itself: the second ping without an answer ends the stream and frees its place',
    figures: { goneMs: 'its stream was freed after # ms' },
    runs: 'plain',
    needs: 'root',
  },
  idle: {
    title: '10,000 idle connections',
    done: '10,000 clients connect, read nothing and do not close; every second one sends half a request first',
    sees: {
      surplus: { who: 'whose connection has been idle for longest', ...CLOSED },
      others: OTHERS,
      after: { who: 'anybody afterwards', status: 200 },
    },
    kept: 'everything',
    recovers:
      'it never went: no more than 1024 are open at once, near that the longest idle one is given up for each newcomer, and all are closed in the end: after 10 s without a request, after 30 s in the middle of one',
    figures: {
      memory: '# MiB resident before',
      more: '# MiB more with them',
      open: '# open at once at most',
      freedMs: 'the last was closed # ms after the first came',
    },
    runs: 'whole',
  },
  'large-body': {
    title: 'A body of 1 GB',
    done: 'one announces 1 GB, one sends more than is allowed in chunks and listens, one sends chunks without end',
    sees: {
      announced: { who: 'who announces it', status: 413, code: 'EPARAM', detail: 'the body is larger than is allowed' },
      sent: {
        who: 'who sends chunks',
        text: 'who goes on sending may see the reset instead',
        status: 413,
        code: 'EPARAM',
        detail: 'the body is larger than is allowed',
      },
      others: OTHERS,
    },
    kept: 'everything: neither became a request',
    recovers: 'by itself: the connection is closed',
    figures: { sent: '# KiB taken from the one that never stops', more: '# MiB more memory' },
    runs: 'whole',
  },
  compressed: {
    title: 'A compressed bomb',
    done: '64 MiB of blanks, packed with gzip and with brotli to less than the limit of a body; a WebSocket that offers permessage-deflate',
    sees: {
      gzip: {
        who: 'gzip',
        status: 415,
        code: 'EPARAM',
        detail: 'the body must not be compressed or otherwise encoded',
      },
      brotli: {
        who: 'brotli',
        status: 415,
        code: 'EPARAM',
        detail: 'the body must not be compressed or otherwise encoded',
      },
      deflate: { who: 'permessage-deflate', text: 'not taken up: the stream is open without it', status: 101 },
      others: OTHERS,
    },
    kept: 'everything: nothing is ever unpacked',
    recovers: 'by itself',
    figures: { more: '# MiB more memory' },
    runs: 'plain',
  },
  headers: {
    title: 'Header floods',
    done: '100,000 headers; one header of 1 MiB; over HTTP/2 a HEADERS frame and CONTINUATION frames without end',
    sees: {
      many: { who: '100,000 headers', ...TOO_MUCH },
      large: { who: 'a header of 1 MiB', ...TOO_MUCH },
      continuation: { who: 'CONTINUATION without end', ...CLOSED },
      others: OTHERS,
    },
    kept: 'everything: none of these became a request',
    recovers: 'by itself: the connection is closed',
    figures: { frames: '# KiB of CONTINUATION sent until the end', more: '# MiB more memory' },
    runs: 'whole',
  },
} as const satisfies Faults;
