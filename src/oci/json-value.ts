/** Owns the careful reading of JSON that strangers wrote: every look-up says what it found, or undefined. Pure. */
import { excessOf, JSON_BOUNDS, type JsonBounds } from "./json-bounds.ts";

export type JsonObject = Record<string, unknown>;

/** `value` when it is an object, not a list and not null. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

/** The objects of a list; what is no object is passed over, what is no list has none. */
export function objects(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.map(asObject).filter((item) => item !== undefined) : [];
}

/** `value` when it is a text with something in it. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** `value` when it is a size: a whole number of bytes that a double holds exactly. */
export function sizeOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/**
 * The JSON object in `bytes`; undefined when they are not JSON, no object, or beyond `bounds`. A byte that is not UTF-8 reads as U+FFFD, as
 * in Go's parser: what is served are the bytes. TextDecoder drops a byte order mark, which JSON.parse would refuse.
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
