/**
 * Owns the stamp of a file: a text that is another one once somebody has written to the file, replaced it or changed its mode. It reads
 * no bytes, so it says nothing of what the disk itself has changed. Pure.
 */
import type { BigIntStats } from "node:fs";

/** The date of the last write is in it, and that of the last change of anything, which nobody can set back. */
export function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}
