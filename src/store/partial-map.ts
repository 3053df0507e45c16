/**
 * Owns the text form of a Partial's map: which bytes were synced. A map that is cut off, of
 * another blob or of another version counts as empty when it is read (F8), and none claims a byte past the size.
 */
import { constants } from "node:fs";
import { readFile } from "node:fs/promises";
import type { ByteRange } from "../bytes/byte-range.ts";
import type { Digest } from "../oci/digest.ts";

const MAP_VERSION = 1;

export type PartialMap = {
  /** Bytes of the whole blob. */
  readonly size: number;
  readonly ranges: readonly ByteRange[];
};

export function formatPartialMap(digest: Digest, map: PartialMap): string {
  const ranges = map.ranges.flatMap(({ start, end }) => [start, end]);
  return JSON.stringify({ version: MAP_VERSION, digest, size: map.size, ranges });
}

/** undefined for anything but a whole, sound map of `digest`. */
function parsePartialMap(text: string, digest: Digest): PartialMap | undefined {
  const found = parseObject(text);
  if (found?.version !== MAP_VERSION || found.digest !== digest) return undefined;
  const { size, ranges } = found;
  if (!isCount(size) || !Array.isArray(ranges) || ranges.length % 2 !== 0) return undefined;
  const pairs: ByteRange[] = [];
  for (let at = 0; at < ranges.length; at += 2) {
    const [start, end] = [ranges[at], ranges[at + 1]];
    if (!isCount(start) || !isCount(end) || start >= end || end > size) return undefined;
    pairs.push({ start, end });
  }
  return { size, ranges: pairs };
}

/** undefined when absent or unreadable: then nothing of the blob counts as present. */
export async function readPartialMap(path: string, digest: Digest): Promise<PartialMap | undefined> {
  try {
    const text = await readFile(path, { encoding: "utf8", flag: constants.O_RDONLY | constants.O_NOFOLLOW });
    return parsePartialMap(text, digest);
  } catch {
    return undefined; // Absent, a symbolic link, or unreadable.
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
