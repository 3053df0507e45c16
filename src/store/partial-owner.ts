/**
 * Owns how the name of an upstream is written in the file names of its Partials: readable, short enough for every file system, and different
 * for any two upstreams. Pure.
 */
import { createHash } from "node:crypto";

/** With a digest of 128 characters and the endings, a name stays below the 255 bytes that file systems take. */
const LONGEST = 80;
const HASHED = /^~[0-9a-f]{40}$/;

/** Lower-case letters, digits, `.`, `-`, `_` and `%XX`; a name that is too long becomes `~` and a hash of it. */
export function formatOwner(upstream: string): string {
  if (HASHED.test(upstream)) return upstream;
  const encoded = [...Buffer.from(upstream)].map(encodedByte).join("");
  if (encoded.length <= LONGEST) return encoded;
  return `~${createHash("sha256").update(upstream).digest("hex").slice(0, 40)}`;
}

/** The upstream of a name that `formatOwner` made, or the hash of one that was too long; undefined for any other text. */
export function parseOwner(text: string): string | undefined {
  if (HASHED.test(text)) return text;
  if (!/^(?:[a-z0-9._-]|%[0-9A-F]{2})+$/.test(text)) return undefined;
  const bytes = text.replace(/%([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** A dot in front would hide the file, or mean the folder. Some file systems do not tell upper from lower case. */
function encodedByte(byte: number, index: number): string {
  const character = String.fromCharCode(byte);
  if (/[a-z0-9_-]/.test(character) || (character === "." && index > 0)) return character;
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
