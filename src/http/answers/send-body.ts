/**
 * Owns "send a body": the only way in which blob bytes reach a client. Where they lie in a file, the kernel sends them from there
 * (file-sender.ts) for as long as the client takes them at once. Everything else is copied: two alternating buffers, written straight to
 * the Node response; the next read runs while the current write does. A body that cannot be finished is destroyed, never ended (F18). When
 * a client leaves, only this reader is closed (F5, F7).
 */
import type { ServerResponse } from "node:http";
import { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { BlobReader } from "../../source.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { FileSender } from "./file-sender.ts";
import type { Sending } from "./sending.ts";

export type Body = {
  readonly outgoing: ServerResponse;
  /** Closed here, whatever happens. */
  readonly reader: BlobReader;
  /** Bytes that `Content-Length` promises; undefined where nobody knows them: then the body ends where the reader ends. */
  readonly length: number | undefined;
  /** Writes status and headers. Called once: before the first byte, or after HEADERS_WAIT_MS without one. */
  readonly begin: () => void;
  /** Called when the first byte is there. */
  readonly onFirstByte: () => void;
  /** Called with the number of bytes whenever the system has taken some. */
  readonly onSent: (bytes: number) => void;
  readonly pool: BufferPool;
  readonly sending: Pick<Sending, "sendFile">;
  readonly clock: Clock;
};

/**
 * How long the headers wait for the first byte: an upstream's refusal comes within it and can still become a proper
 * status; clients that probe want headers within seconds (docs/protocol.md#ollama-probe).
 */
const HEADERS_WAIT_MS = 800;

/** A shorter body is one read and one write: there is nothing to gain. */
const WORTH_MOVING = 1024 * 1024;

/**
 * Where the kernel sends: what is read and written between two of its turns. Node tells when the client has taken it, which is when the
 * kernel can go on; so nobody has to ask the connection again and again.
 */
const TURN_BYTES = 32 * 1024;

/** The length by which buffers are chosen where none is known. */
const UNTOLD_BYTES = 1024 * 1024;

/**
 * Sends the whole body and ends the response. Throws what the reader throws, and `aborted` when the client left; when
 * headers are out by then, the socket has been destroyed.
 */
export async function sendBody(body: Body): Promise<void> {
  const { outgoing, reader, length, pool } = body;
  const sender = senderOf(body);
  const buffers = pool.take(sender === undefined ? (length ?? UNTOLD_BYTES) : TURN_BYTES);
  const writer = new BodyWriter(body);
  let isWhole = false;
  try {
    if (sender === undefined) await copy(body, buffers, writer);
    else await move(body, buffers[0], writer, sender);
    outgoing.end();
    isWhole = true;
  } catch (error) {
    if (outgoing.headersSent) outgoing.destroy();
    throw error;
  } finally {
    sender?.close();
    reader.close();
    pool.give(buffers, isWhole);
  }
}

function senderOf({ outgoing, reader, length = 0, sending, onSent }: Body): FileSender | undefined {
  const { sendFile } = sending;
  if (sendFile === undefined || reader.move === undefined || length < WORTH_MOVING) return undefined;
  return FileSender.open(outgoing, sendFile, onSent);
}

/** Reads, writes and waits until it is written; then has the kernel move what it can, and again. */
async function move(body: Body, chunk: Uint8Array, writer: BodyWriter, sender: FileSender): Promise<void> {
  const { outgoing, reader, length, begin } = body;
  let taken = await readFirst(body, chunk);
  let sent = taken;
  if (!outgoing.headersSent) begin();
  while (taken > 0) {
    await writer.write(chunk.subarray(0, taken));
    for (let moved = taken; moved > 0; sent += moved) moved = (await reader.move?.(sender.move)) ?? 0;
    sender.push();
    taken = sent === length ? 0 : await reader.read(chunk);
    sent += taken;
  }
  if (length !== undefined && sent !== length) throw wrongLength(length, sent);
}

async function copy(
  body: Body,
  buffers: readonly [Uint8Array, Uint8Array],
  writer: BodyWriter,
): Promise<void> {
  const { outgoing, reader, length, begin } = body;
  let [current, next] = buffers;
  // With an empty body the headers are the whole answer, so they wait until the reader has confirmed that it is empty (F18).
  let taken = length === 0 ? await reader.read(current) : await readFirst(body, current);
  let read = taken;
  if (!outgoing.headersSent) begin();
  while (taken > 0) {
    if (length !== undefined && read > length) throw wrongLength(length, read);
    const written = writer.write(current.subarray(0, taken));
    taken = read === length ? 0 : await reader.read(next);
    read += taken;
    await written;
    [current, next] = [next, current];
  }
  if (length !== undefined && read !== length) throw wrongLength(length, read);
}

/** The first read; after HEADERS_WAIT_MS the headers go out without waiting for it. */
async function readFirst(
  { reader, begin, outgoing, onFirstByte, clock }: Body,
  into: Uint8Array,
): Promise<number> {
  const timer = clock.after(HEADERS_WAIT_MS, () => {
    if (outgoing.destroyed) return;
    begin();
    outgoing.flushHeaders();
  });
  try {
    const taken = await reader.read(into);
    onFirstByte();
    return taken;
  } finally {
    timer.cancel();
  }
}

/** Nothing in Node enforces Content-Length on the way out, and a wrong body must not look like a whole one (F2). */
function wrongLength(expected: number, found: number): GranaryError {
  return new GranaryError("size-mismatch", `A body of ${expected} bytes was promised, but ${found} came.`, {
    expected,
    found,
  });
}

/** Writes one chunk at a time; when the client leaves, its pending write fails and the reader is closed. */
class BodyWriter {
  readonly #outgoing: ServerResponse;
  readonly #onSent: (bytes: number) => void;
  #fail: ((error: Error) => void) | undefined;
  #isGone = false;

  constructor({ outgoing, reader, onSent }: Body) {
    this.#outgoing = outgoing;
    this.#onSent = onSent;
    this.#isGone = outgoing.destroyed;
    // Closing the reader ends a read that waits for bytes; nothing else would tell it that the client is gone (F12).
    outgoing.once("close", () => {
      this.#isGone = true;
      this.#fail?.(clientLeft());
      reader.close();
    });
  }

  /** Resolves when the system has the bytes and `chunk` may be overwritten. */
  write(chunk: Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      if (this.#isGone) reject(clientLeft());
      this.#fail = reject;
      this.#outgoing.write(chunk, (error) => {
        if (error) return reject(clientLeft(error));
        this.#onSent(chunk.byteLength);
        resolve();
      });
    });
    // The caller awaits it only after its next read; until then a failure must not count as unhandled.
    written.catch(() => undefined);
    return written;
  }
}

function clientLeft(cause?: Error): GranaryError {
  return new GranaryError("aborted", "The client closed the connection.", { cause });
}
