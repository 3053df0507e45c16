/**
 * Owns the reading of a tar archive, by tar-stream: which entries there are, what they say, and the bytes of each. It knows
 * nothing of layers. What cannot be represented is refused here, with the name of the entry.
 */
import { type Extract, extract, type Header } from "tar-stream";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import { ArchiveEnd, offsetOf } from "./archive-end.ts";

export type Entry = {
  readonly name: string;
  readonly kind: "file" | "directory" | "symlink" | "link" | "special";
  readonly mode: number;
  /** Seconds since the epoch, with fraction where PAX gives one. */
  readonly mtime: number;
  /** Bytes; 0 for everything but files. */
  readonly size: number;
  /** Of symlinks and links, as the archive has it. */
  readonly linkName: string;
  readonly hasAttributes: boolean;
  /** Of files; not to be left in the middle. A chunk is good until the next is asked for. */
  readonly body: AsyncIterable<Uint8Array>;
};

type TarEntry = Extract extends AsyncIterable<infer Entry> ? Entry : never;

/** What the chunks threw, if they did. */
type SourceFailure = { failure?: unknown };

type Pax = Readonly<Record<string, string>>;

const PERMISSIONS = 0o7777;

/**
 * The entries of `chunks`, in order, up to the end of the archive; what follows it is read and dropped. Throws
 * `manifest-invalid`, and what `chunks` throws. Leaving early closes `chunks`.
 */
export async function* readEntries(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Entry, void, undefined> {
  // One chunk at a time, so that the end is known before the next one is given.
  const archive = extract({ highWaterMark: 1 });
  const end = new ArchiveEnd();
  archive.on("entry", (header) => end.onEntry(header));
  const memory = new ChunkMemory();
  const source: SourceFailure = {};
  const fed = feed(chunks, archive, end, memory).catch((error) => {
    source.failure = error;
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    for await (const entry of upToEnd(archive, end)) {
      yield describe(entry.header, bodyOf(entry, memory, source));
    }
    archive.destroy();
    await fed;
    if (source.failure !== undefined) throw source.failure;
  } catch (error) {
    throw asDamage(error, source);
  } finally {
    archive.destroy();
    await fed;
  }
}

/** Errors of the parser about what follows the end of the archive are ignored. */
async function* upToEnd(archive: Extract, end: ArchiveEnd): AsyncGenerator<TarEntry, void, undefined> {
  try {
    for await (const entry of archive) {
      if (end.isReached) return;
      yield entry;
      entry.resume(); // Skips a body that nobody has read.
    }
  } catch (error) {
    end.look();
    if (!end.isReached) throw error;
  }
}

/** An error of the parser also ends the body that it was reading. */
async function* bodyOf(
  entry: TarEntry,
  memory: ChunkMemory,
  source: SourceFailure,
): AsyncIterable<Uint8Array> {
  let position = offsetOf(entry.header);
  try {
    for await (const chunk of entry as AsyncIterable<Uint8Array>) {
      const { length } = chunk;
      yield chunk;
      position += length;
      memory.onUsed(position);
    }
    if (position !== offsetOf(entry.header) + entry.header.size) throw damaged("a file in it is cut off");
  } catch (error) {
    throw asDamage(error, source);
  }
}

/** Gives `chunks` to the parser up to the end of the archive, and reads the rest as well, because the digest is over all bytes. */
async function feed(
  chunks: AsyncIterable<Uint8Array>,
  archive: Extract,
  end: ArchiveEnd,
  memory: ChunkMemory,
): Promise<void> {
  let wake: () => void = () => {};
  let isClosed = false;
  archive.on("drain", () => wake());
  archive.on("close", () => {
    isClosed = true;
    wake();
  });
  for await (const chunk of chunks) {
    if (!end.isReached) end.onChunk(chunk);
    if (end.isReached) continue;
    if (isClosed) return;
    if (!archive.write(chunk)) await new Promise<void>((resolve) => (wake = resolve));
    const position = end.endInsideEntry;
    if (position !== undefined) memory.add(chunk, position);
  }
  archive.end(undefined);
}

/**
 * The memory of the chunks that an archive came in: it is given back as soon as all bytes of a chunk are used. The garbage collector
 * sees only the small objects in front of these buffers and would leave tens of megabytes lying about at any time.
 */
class ChunkMemory {
  readonly #chunks: { readonly buffer: ArrayBuffer; readonly end: number }[] = [];

  /** Takes charge of a chunk that ends at `end` of the archive, inside an entry's bytes. */
  add({ buffer, byteOffset, length }: Uint8Array, end: number): void {
    // Whoever made the chunk may still be filling the rest of its buffer.
    const isFilled = byteOffset + length === buffer.byteLength;
    if (isFilled && buffer instanceof ArrayBuffer) this.#chunks.push({ buffer, end });
  }

  /** Everything in front of `position` has been used. */
  onUsed(position: number): void {
    for (let [first] = this.#chunks; first !== undefined && first.end <= position; [first] = this.#chunks) {
      first.buffer.transfer(0);
      this.#chunks.shift();
    }
  }
}

function describe(header: Header, body: AsyncIterable<Uint8Array>): Entry {
  const { name, size, mode, linkname } = header;
  const pax = paxOf(header);
  const kind = kindOf(header, pax);
  if (size > 0 && (kind === "symlink" || kind === "link")) throw damaged(`the link "${name}" has a size`);
  return {
    name,
    kind,
    mode: mode & PERMISSIONS,
    mtime: mtimeOf(header, pax),
    size: kind === "file" ? size : 0,
    linkName: linkname ?? "",
    hasAttributes: Object.keys(pax).some((key) =>
      /^(SCHILY\.xattr|LIBARCHIVE\.xattr|SCHILY\.acl)\./.test(key),
    ),
    body,
  };
}

function kindOf({ name, type }: Header, pax: Pax): Entry["kind"] {
  if (Object.keys(pax).some((key) => key.startsWith("GNU.sparse."))) throw sparse(name);
  switch (type) {
    case "file":
    case "contiguous-file":
      return "file";
    case "directory":
    case "symlink":
    case "link":
      return type;
    case "character-device":
    case "block-device":
    case "fifo":
      return "special";
    default:
      throw sparse(name);
  }
}

function paxOf({ pax }: Header): Pax {
  return typeof pax === "object" && pax !== null ? (pax as Pax) : {};
}

function mtimeOf({ mtime }: Header, pax: Pax): number {
  const seconds = pax.mtime === undefined ? mtime.getTime() / 1000 : Number(pax.mtime);
  return Number.isFinite(seconds) ? seconds : 0;
}

/** tar-stream gives GNU's old sparse files no type, like all types that it does not know. */
function sparse(name: string): GranaryError {
  return damaged(
    `"${name}" is a sparse file or an entry of an unknown type; make the image again without (tar without --sparse)`,
  );
}

/** An error that neither the source nor this code threw is the parser's: the archive is damaged. */
function asDamage(error: unknown, { failure }: SourceFailure): unknown {
  return failure ?? (isGranaryError(error) ? error : damaged(messageOf(error), error));
}

function damaged(reason: string, cause?: unknown): GranaryError {
  return new GranaryError("manifest-invalid", `The archive in the layer cannot be used: ${reason}.`, {
    cause,
  });
}
