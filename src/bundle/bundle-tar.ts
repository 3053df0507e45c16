/**
 * Owns the tar of a bundle as a stream, in both directions. What is written has fixed times and owners, so that the same files give the same
 * bytes; what is read may be hostile, and its names are only keys: nothing may ever be created by one.
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Pack, pack } from "tar-stream";
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";

/** One file: `body` gives exactly `size` bytes. */
export type BundleFile = {
  readonly name: string;
  readonly size: number;
  readonly body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
};

const FIXED = { mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), type: "file" } as const;

/** The tar of `files`, in their order. Throws what they throw; a body is begun only when it is its turn. */
export async function* packBundle(files: AsyncIterable<BundleFile>): AsyncGenerator<Uint8Array> {
  const packer = pack();
  const packing = writeFiles(packer, files).catch((error: unknown) => {
    packer.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    for await (const chunk of packer) if (chunk instanceof Uint8Array) yield chunk;
  } finally {
    packer.destroy();
    await packing;
  }
}

async function writeFiles(packer: Pack, files: AsyncIterable<BundleFile>): Promise<void> {
  for await (const { name, size, body } of files) {
    const entry = packer.entry({ ...FIXED, name, size });
    await pipeline(Readable.from(body, { objectMode: true }), entry);
  }
  packer.finalize();
}

async function* chunksOf(
  entry: AsyncIterable<unknown>,
  told: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of entry) if (chunk instanceof Uint8Array) yield chunk;
  } catch (error) {
    throw told(error);
  }
}

/**
 * The plain files of the tar in `chunks`, one after another; what is left of one when the next is asked for is skipped. Throws
 * `manifest-invalid` for what is no tar or ends too early, and what `chunks` throws.
 */
export async function* unpackBundle(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<BundleFile> {
  const parser = extract();
  let failure: unknown;
  const input = async function* () {
    try {
      yield* unpacked(chunks);
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  const told = (error: unknown) => failure ?? (isGranaryError(error) ? error : damaged(error));
  pipeline(input, parser).catch(() => undefined); // The parser ends with the same error.
  try {
    for await (const entry of parser) {
      const { name, type, size } = entry.header;
      if (type === "file" || type === "contiguous-file")
        yield { name: name.replace(/^(?:\.?\/)+/, ""), size: size ?? 0, body: chunksOf(entry, told) };
      entry.resume();
    }
  } catch (error) {
    throw told(error);
  } finally {
    parser.destroy();
  }
}

/** What compressors write first. */
const PACKED = { gzip: "1f8b", zstd: "28b52ffd", bzip2: "425a68", xz: "fd377a58" };

/** A compressed bundle is unpacked by whoever sends it: here it would have to be kept whole first. Throws `manifest-invalid`. */
async function* unpacked(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  for await (const chunk of chunks) {
    if (isFirst && chunk.length > 0) refusePacked(chunk);
    isFirst &&= chunk.length === 0;
    yield chunk;
  }
}

function refusePacked(chunk: Uint8Array): void {
  const start = Buffer.from(chunk.subarray(0, 4)).toString("hex");
  const packing = Object.entries(PACKED).find(([, magic]) => start.startsWith(magic))?.[0];
  if (packing === undefined) return;
  const message = `The bundle is packed by ${packing}: unpack it first, or import it by "granary bundle import", which unpacks gzip and zstd.`;
  throw new GranaryError("manifest-invalid", message, { saysWhatToDo: true });
}

function damaged(error: unknown): GranaryError {
  const message = `The bundle is damaged or cut off: ${messageOf(error)}.`;
  return new GranaryError("manifest-invalid", message, { cause: error });
}
