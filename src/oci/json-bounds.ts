/**
 * Owns the look at JSON that strangers wrote before any of it becomes values: how deep it nests and how many values it has. One pass over
 * the bytes that makes nothing, so that no document is too hostile for it. It does not say that a document is JSON. Pure.
 */

export type JsonBounds = {
  readonly bytes: number;
  /** Lists and objects inside each other. */
  readonly depth: number;
  /** Values and names, roughly: what parsing makes of each takes many times its bytes. */
  readonly values: number;
};

const MiB = 2 ** 20;

/** Nothing that registries, engines and logins write comes near these depths: manifests have four levels, image configs six. */
const DEPTH = 64;

/** By kind of document. A kind that is only handed on is read by json-list.ts, and makes no values at all. */
export const JSON_BOUNDS = {
  /** Manifests, indexes, configs of images and models. What of them may come over a network is limited where it is read. */
  document: { bytes: 32 * MiB, depth: DEPTH, values: 400_000 },
  /** Answers of token servers, and what their tokens say. */
  token: { bytes: 256 * 1024, depth: DEPTH, values: 20_000 },
  /** Files of logins, and what credential helpers print. */
  login: { bytes: 4 * MiB, depth: DEPTH, values: 100_000 },
} as const satisfies Record<string, JsonBounds>;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/** What `bytes` has too much of, as the end of a sentence; undefined when it is within `bounds`. */
export function excessOf(bytes: Uint8Array, bounds: JsonBounds): string | undefined {
  if (bytes.length > bounds.bytes) return `has more than ${bounds.bytes} bytes`;
  let depth = 0;
  let values = 1;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) at = endOfText(bytes, at);
    else if (byte === COMMA || byte === COLON) values += 1;
    else if (isOpening(byte)) {
      depth += 1;
      values += 1;
      if (depth > bounds.depth) return `nests deeper than ${bounds.depth} levels`;
    } else if (isClosing(byte)) depth -= 1;
    if (values > bounds.values) return `has more than ${bounds.values} values`;
  }
  return undefined;
}

/** Where the text that begins at `start` ends: its closing quote, or the end of the bytes. */
function endOfText(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

function isOpening(byte: number): boolean {
  return byte === 0x5b || byte === 0x7b;
}

function isClosing(byte: number): boolean {
  return byte === 0x5d || byte === 0x7d;
}
