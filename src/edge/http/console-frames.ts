/**
 * What goes over the WebSocket of `GET /v1/switches/{switch}/console`.
 *
 * Text frames are control messages: JSON objects with a `type`. Binary frames are the terminal's bytes behind eight bytes
 * of offset (little endian): how many bytes of that direction came before them. The first frame of the client says what it
 * wants; from `opened` on both sides send bytes. The client acknowledges the output that it has shown: without that the
 * program stops after 256 KiB.
 */

/** Bytes in front of a binary frame. */
export const OFFSET_BYTES = 8;

/** Client to broker. */
export type ConsoleClientMessage =
  /** First frame. Asks, waits for the second person where one is required, and opens. */
  | {
      readonly type: 'open';
      readonly program: string;
      readonly reason: string;
      readonly columns: number;
      readonly rows: number;
      readonly duration_ms?: number;
    }
  /** First frame. Takes a session up again; `after` is the offset behind the last byte that was shown. */
  | { readonly type: 'resume'; readonly session: string; readonly seat: string; readonly after: number }
  /** First frame. Looks on. */
  | { readonly type: 'watch'; readonly session: string }
  | { readonly type: 'ack'; readonly offset: number }
  | { readonly type: 'resize'; readonly columns: number; readonly rows: number }
  /** Ends the session; a connection that just goes away does not. */
  | { readonly type: 'close' };

/** Broker to client. */
export type ConsoleServerMessage =
  /** A second person is waited for: `cci console approve REQUEST` shows the same digest. */
  | {
      readonly type: 'waiting';
      readonly request: string;
      readonly digest: string;
      readonly expires_at_ms: number;
    }
  | {
      readonly type: 'opened';
      readonly session: string;
      /** Keep it to resume with. */
      readonly seat: string;
      readonly program: string;
      readonly principal: string;
      /** Offset of the first byte of output that follows. */
      readonly offset: number;
      /** Offset that the next byte of input has. */
      readonly input_offset: number;
      readonly columns: number;
      readonly rows: number;
      readonly ends_at_ms: number;
      readonly resume_ms: number;
      readonly recorded: true;
      readonly watching: boolean;
    }
  /** After `opened`, whenever one of these changes. `input_offset`: what was taken; send what lies behind it again. */
  | {
      readonly type: 'state';
      readonly state: 'running' | 'paused' | 'detached' | 'ended';
      readonly columns: number;
      readonly rows: number;
      readonly watchers: number;
      readonly input_offset: number;
    }
  /** The last message of a session. */
  | {
      readonly type: 'ended';
      readonly why: string;
      readonly detail: string;
      readonly exit_code?: number;
      readonly signal?: string;
    }
  /** Refused: an RFC 9457 problem document. The connection is closed after it. */
  | { readonly type: 'problem'; readonly problem: unknown };

/** WebSocket close codes of this route and their text. */
export const consoleCloses = {
  done: { code: 1000, text: 'the session has ended' },
  goingAway: { code: 1001, text: 'the broker is shutting down' },
  malformed: { code: 1007, text: 'a frame is not as it has to be' },
  refused: { code: 4403, text: 'refused' },
  tokenEnded: { code: 4401, text: 'the token is not valid any more' },
  slow: { code: 1013, text: 'what was sent is not read' },
} as const;
