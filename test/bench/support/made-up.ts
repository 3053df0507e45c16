/** Owns contents that are larger than any file here: a file again and again, which the upstream makes up as it is asked. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Content, REPOSITORY } from "../material.ts";

/** `size` bytes of `content` again and again, with their digest: a second for each two GB. */
export function repeated(content: Content, size: number): Content {
  const bytes = readFileSync(content.file);
  const hash = createHash("sha256");
  for (let at = 0; at < size; at += bytes.length)
    hash.update(bytes.subarray(0, Math.min(bytes.length, size - at)));
  return madeUp(content, size, `sha256:${hash.digest("hex")}`);
}

/** The same under a digest that it does not have, for a blob that nobody reads to its end. */
export function madeUp(content: Content, size: number, digest: string): Content {
  return { ...content, size, digest, path: `/v2/${REPOSITORY}/blobs/${digest}` };
}
