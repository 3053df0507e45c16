/**
 * Owns the reading of one tar that becomes a layer: unpacked where it is compressed, and checked to be a tar from its first header
 * to its end while it passes. It may be a pipe; it is read once and never kept in memory.
 */
import { constants, createReadStream, fstatSync, open } from "node:fs";
import { Socket } from "node:net";
import { addAbortSignal, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { extract } from "tar-stream";
import { GranaryError, isGranaryError, messageOf } from "../../../errors.ts";
import { diskError, errnoOf } from "../../../files/disk-error.ts";
import { abortedError, untilAborted } from "../../../waiting/abort.ts";
import { decompress } from "../decompress.ts";

const CHUNK_BYTES = 1024 * 1024;
/** Archives from before POSIX have no magic; tar-stream's types lack the option. */
const OPTIONS = { allowUnknownFormat: true, highWaterMark: CHUNK_BYTES };

/**
 * Hands the plain bytes of the tar at `path` to `write`, one chunk after another. Throws `path-invalid` (absent, a directory, or no
 * tar), `denied`, `manifest-invalid` (damaged compression), `store-damaged`, `aborted`, and what `write` throws.
 */
export async function readTar(
  path: string,
  write: (chunk: Uint8Array) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const parser = extract(OPTIONS);
  parser.on("entry", (_, content, next) => {
    content.on("end", next);
    content.on("error", () => undefined); // The parser ends with the same error.
    content.resume();
  });
  let failure: unknown;
  try {
    const passing = pipeline(written, parser, signal === undefined ? {} : { signal });
    await untilAborted(passing, signal);
  } catch (error) {
    if (signal?.aborted === true) throw abortedError(signal, `reading ${path}`);
    throw failure === undefined ? noTar(path, messageOf(error)) : inputError(failure, path);
  }

  async function* written(): AsyncGenerator<Uint8Array> {
    let isEmpty = true;
    try {
      const input = await openInput(path);
      if (signal !== undefined) addAbortSignal(signal, input);
      for await (const chunk of decompress(input)) {
        await write(chunk);
        isEmpty = false;
        yield chunk;
      }
      if (isEmpty) throw noTar(path, "it is empty");
    } catch (error) {
      failure = error;
      throw error;
    }
  }
}

/** A pipe is read as a socket: read as a file, it would block a thread that only the writer of the pipe can free. */
async function openInput(path: string): Promise<Readable> {
  const descriptor = await promisify(open)(path, constants.O_RDONLY);
  if (fstatSync(descriptor).isFIFO()) return new Socket({ fd: descriptor, readable: true, writable: false });
  return createReadStream(path, { fd: descriptor, highWaterMark: CHUNK_BYTES });
}

function noTar(path: string, reason: string): GranaryError {
  const message = `${path} cannot become a layer: it is not a whole tar archive (${reason}). Pack the files with "tar -cf FILE -C DIRECTORY .".`;
  return new GranaryError("path-invalid", message, { target: path });
}

function inputError(error: unknown, path: string): GranaryError {
  if (isGranaryError(error)) return error;
  const errno = errnoOf(error);
  if (errno === "EACCES") {
    return new GranaryError("denied", `${path} may not be read.`, { target: path, cause: error });
  }
  if (errno !== "ENOENT" && errno !== "ENOTDIR" && errno !== "EISDIR")
    return diskError(error, `reading ${path}`);
  const reason = errno === "EISDIR" ? "is a directory: pack it into a tar first" : "does not exist";
  return new GranaryError("path-invalid", `${path} ${reason}.`, { target: path, cause: error });
}
