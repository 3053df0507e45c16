/**
 * Owns the index of a tar file: which entry lies where. Only headers are read, at their places, never the content of entries, so that
 * the index of a large archive costs a few small reads. Names are keys and nothing more; a link leads to another entry of the same
 * archive or nowhere. No entry is believed to be longer than the file.
 */
import { posix } from "node:path";
import { pipeline, Readable } from "node:stream";
import { extract, type Header } from "tar-stream";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import { throwIfAborted } from "../../waiting/abort.ts";
import type { StoredBytes } from "./archive-files.ts";

export type TarSpan = { readonly start: number; readonly size: number };

type TarEntry =
  | (TarSpan & { readonly kind: "file" })
  | { readonly kind: "link"; readonly to: string | undefined };

type TarHeader = {
  readonly header: Header;
  /** Offset of the first byte of the content. */
  readonly start: number;
};

const BLOCK_BYTES = 512;

/** tar-stream takes extended headers of up to 4 MiB, of which an entry can have a few. */
const MAX_HEADER_BLOCKS = (16 * 1024 * 1024) / BLOCK_BYTES;

/** Archives from before POSIX have no magic; tar-stream's types lack the option. */
const PARSER_OPTIONS = { allowUnknownFormat: true, highWaterMark: BLOCK_BYTES };

/** A layout of a thousand images has some ten thousand. */
const MAX_ENTRIES = 50_000;
const MAX_HOPS = 16;

const NO_TAR = "it is none, or packed by something other than gzip or zstd (then unpack it first)";

type TarIndex = ReadonlyMap<string, TarEntry>;

/** `path` is for messages. Throws `path-invalid` for what is no tar, `manifest-invalid` for one that is damaged, `aborted`. */
export async function indexTar(tar: StoredBytes, path: string, signal?: AbortSignal): Promise<TarIndex> {
  const entries = new Map<string, TarEntry>();
  let at = 0;
  try {
    for (let count = 0; ; count++) {
      throwIfAborted(signal, `reading ${path}`);
      if (count > MAX_ENTRIES) throw new Error(`it has more than ${MAX_ENTRIES} entries`);
      const found = await readTarHeader(tar, at);
      if (found === undefined) return entries;
      const { header, start } = found;
      const size = header.type === "directory" ? 0 : header.size;
      if (!Number.isSafeInteger(size) || start + size > tar.size)
        throw new Error("the file ends in the middle of an entry");
      addEntry(entries, header, { start, size });
      at = start + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
    }
  } catch (error) {
    if (isGranaryError(error)) throw error;
    const reason = at === 0 ? NO_TAR : `it is damaged at byte ${at} (${messageOf(error)})`;
    const message = `${path} cannot be read as a tar archive: ${reason}.`;
    const code = at === 0 ? "path-invalid" : "manifest-invalid";
    throw new GranaryError(code, message, { cause: error, target: path });
  }
}

/** Where the content of `name` lies, links followed; undefined when there is no such file. */
export function findInTar(index: TarIndex, name: string): TarSpan | undefined {
  let key = keyOf(name);
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    const entry = key === undefined ? undefined : index.get(key);
    if (entry?.kind !== "link") return entry;
    key = entry.to;
  }
  return undefined;
}

/** The header at `offset`; undefined at the end of the archive. Throws plain errors for what is no header. */
async function readTarHeader(tar: StoredBytes, offset: number): Promise<TarHeader | undefined> {
  const parser = extract(PARSER_OPTIONS);
  // Both ends are destroyed when the loop is left; an error reaches the loop.
  pipeline(Readable.from(blocksFrom(tar, offset), { highWaterMark: 1 }), parser, () => undefined);
  for await (const entry of parser) {
    return { header: entry.header, start: offset + entry.offset + BLOCK_BYTES };
  }
  return undefined;
}

async function* blocksFrom(tar: StoredBytes, offset: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < MAX_HEADER_BLOCKS; index++) {
    const block = new Uint8Array(BLOCK_BYTES);
    const count = await tar.read(offset + index * BLOCK_BYTES, block);
    if (count === 0 && index === 0) return;
    if (count < BLOCK_BYTES) throw new Error("the file ends in the middle of a header");
    // Zeros end the archive; further on they can be part of a long name.
    if (index === 0 && block.every((byte) => byte === 0)) return;
    yield block;
  }
  throw new Error("a header is too long");
}

/** As with tar itself, the last entry of a name counts. */
function addEntry(entries: Map<string, TarEntry>, { name, type, linkname }: Header, span: TarSpan): void {
  const key = keyOf(name);
  if (key === undefined) return;
  if (type === "file" || type === "contiguous-file") entries.set(key, { kind: "file", ...span });
  if (type === "link") entries.set(key, { kind: "link", to: keyOf(linkname) });
  if (type === "symlink") entries.set(key, { kind: "link", to: targetOf(key, linkname) });
}

function targetOf(key: string, linkname: string): string | undefined {
  return linkname.startsWith("/") ? undefined : keyOf(posix.join(posix.dirname(key), linkname));
}

/** `name` in its one form; undefined when it leads out of the archive. */
function keyOf(name: string): string | undefined {
  const key = posix.normalize(name.replace(/^\/+/, ""));
  return key === ".." || key.startsWith("../") ? undefined : key;
}
