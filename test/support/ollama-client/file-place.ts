/**
 * Owns a blob on disk as Ollama keeps it: `sha256-<hex>-partial`, sparse and at full size, with one JSON file per
 * part beside it, then `sha256-<hex>`. It survives the client, so that the next pull goes on.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, type FileHandle, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { BlobPart } from "./blob-part.ts";
import type { BlobPlace } from "./blob-place.ts";

/** The names that Ollama gives the fields. */
type SavedPart = { N: number; Offset: number; Size: number; Completed: number };

export class FilePlace implements BlobPlace {
  readonly #directory: string;
  readonly #digest: string;
  readonly #name: string;
  #file: FileHandle | undefined;

  constructor(directory: string, digest: string) {
    this.#directory = directory;
    this.#digest = digest;
    this.#name = digest.replace(":", "-");
  }

  isComplete(): Promise<boolean> {
    return access(this.#path("")).then(
      () => true,
      () => false,
    );
  }

  async loadParts(): Promise<BlobPart[]> {
    const names = await readdir(this.#directory);
    const saved = names.filter((name) => name.startsWith(`${this.#name}-partial-`));
    const parts = saved.map(async (name) => {
      const part = JSON.parse(await readFile(join(this.#directory, name), "utf8")) as SavedPart;
      return { index: part.N, offset: part.Offset, size: part.Size, completed: part.Completed };
    });
    return (await Promise.all(parts)).sort((a, b) => a.index - b.index);
  }

  async savePart({ index, offset, size, completed }: BlobPart): Promise<void> {
    const part: SavedPart = { N: index, Offset: offset, Size: size, Completed: completed };
    await writeFile(this.#path(`-partial-${index}`), JSON.stringify(part));
  }

  async prepare(size: number): Promise<void> {
    await (await open(this.#path("-partial"), "a")).close(); // Makes it; "r+" alone does not.
    const file = await open(this.#path("-partial"), "r+");
    this.#file = file;
    await file.truncate(size);
  }

  async write(offset: number, bytes: Buffer): Promise<void> {
    await this.#file?.write(bytes, 0, bytes.length, offset);
  }

  async complete(): Promise<void> {
    await this.close();
    for (const { index } of await this.loadParts()) await rm(this.#path(`-partial-${index}`));
    await rename(this.#path("-partial"), this.#path(""));
  }

  async verify(): Promise<void> {
    const hash = createHash("sha256");
    await pipeline(createReadStream(this.#path(""), { highWaterMark: 2 ** 20 }), hash);
    const found = `sha256:${hash.digest("hex")}`;
    if (found === this.#digest) return;
    await rm(this.#path(""));
    throw new Error(`digest mismatch, file must be downloaded again: want ${this.#digest}, got ${found}`);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  #path(suffix: string): string {
    return join(this.#directory, `${this.#name}${suffix}`);
  }
}
