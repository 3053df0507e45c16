/**
 * Owns the careful reading of JSON that strangers wrote: a look at its size and depth before any of it becomes values, then the parsing, then
 * look-ups that give what they found or undefined. It says of no document what it means. Pure.
 */

export type JsonObject = Record<string, unknown>;

/** `value` if it is an object, and neither a list nor null. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

/** The objects in a list; other items are skipped. Empty if `value` is not a list. */
export function objects(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.map(asObject).filter((item) => item !== undefined) : [];
}

/** `value` if it is a text that is not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** `value` if it is a size: a whole number of bytes that a double holds exactly. */
export function sizeOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/**
 * The JSON object in `bytes`; undefined when they are not JSON, not an object, or exceed `bounds`. A byte that is not UTF-8 reads as U+FFFD,
 * as in Go's parser; that is safe because the bytes themselves are served, not what was read from them. TextDecoder drops a byte order mark,
 * which JSON.parse would refuse.
 */
export function parseJsonObject(
  bytes: Uint8Array,
  bounds: JsonBounds = JSON_BOUNDS.document,
): JsonObject | undefined {
  return asObject(parseJson(bytes, bounds));
}

/** The JSON value in `bytes`, whatever it is; undefined as for `parseJsonObject`. */
export function parseJson(bytes: Uint8Array, bounds: JsonBounds = JSON_BOUNDS.document): unknown {
  if (excessOf(bytes, bounds) !== undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8").decode(bytes));
  } catch {
    return undefined; // Each caller has its own sentence for a document that cannot be read.
  }
}

type JsonBounds = {
  readonly bytes: number;
  /** Lists and objects inside each other. */
  readonly depth: number;
  /** Values and names, roughly: what parsing makes of each takes many times its bytes. */
  readonly values: number;
};

const MiB = 2 ** 20;

/** Manifests have four levels and image configs six: no registry, engine or login file writes anything near this depth. */
const DEPTH = 64;

/** The limits for each kind of document. Lists that are only handed on are read by json-list.ts, which makes no values at all. */
export const JSON_BOUNDS = {
  /** Manifests, indexes, configs of images and models. How many bytes may come over a network is limited where they are read. */
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

/**
 * Which of `bounds` the document exceeds, as the end of a sentence; undefined when it exceeds none. One pass over the bytes that makes no
 * values, so no document can make it slow or fill the memory. It does not say that the document is JSON.
 */
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
