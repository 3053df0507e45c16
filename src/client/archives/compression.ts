/** Owns the recognition of compressed bytes by how they begin. What unpacks them is decompress.ts. */
import type { StoredBytes } from "./archive-files.ts";

export type Compression = "none" | "gzip" | "zstd";

const MAGICS: readonly (readonly [kind: Exclude<Compression, "none">, magic: readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
];

export async function compressionOf(stored: StoredBytes): Promise<Compression> {
  const head = new Uint8Array(4);
  const count = await stored.read(0, head);
  const found = MAGICS.find(([, magic]) =>
    magic.every((byte, index) => index < count && head[index] === byte),
  );
  return found?.[0] ?? "none";
}
