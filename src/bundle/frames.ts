/**
 * Owns how a bundle is sent so that its end is told: frames of bytes, each with its length before it, and a last one of length 0 with what came
 * of it behind it, as JSON. Without them a stream that breaks looks like one that is over, and nobody hears why. Pure.
 */
import { GranaryError } from "../errors.ts";

/** Lengths are written as 32 bits, big-endian. */
const LENGTH_BYTES = 4;
const MOST_FRAME_BYTES = 64 * 2 ** 20;
const MOST_END_BYTES = 2 ** 20;

/** The frames of `chunks`, and of what `ended` says: of the failure with which they ended, or of undefined. */
export async function* framed(
  chunks: AsyncIterable<Uint8Array>,
  ended: (failure: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  let failure: unknown;
  try {
    for await (const chunk of chunks) {
      if (chunk.length === 0) continue;
      yield lengthOf(chunk.length);
      yield chunk;
    }
  } catch (error) {
    failure = error;
  }
  yield lengthOf(0);
  yield Buffer.from(JSON.stringify(ended(failure)));
}

/** The chunks in `frames`; `onEnd` hears the end. Throws `upstream-protocol` for what is none, or breaks off. */
export async function* unframed(
  frames: AsyncIterable<Uint8Array>,
  onEnd: (ended: unknown) => void,
): AsyncGenerator<Uint8Array> {
  const input = new Reading(frames);
  for (;;) {
    const header = await input.exactly(LENGTH_BYTES);
    const length = Buffer.from(header).readUInt32BE(0);
    if (length > MOST_FRAME_BYTES) throw broken();
    if (length === 0) break;
    yield* input.upTo(length);
  }
  onEnd(parsed(await input.rest(MOST_END_BYTES)));
}

class Reading {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #left: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async exactly(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.upTo(count)) parts.push(part);
    return Buffer.concat(parts);
  }

  async *upTo(count: number): AsyncGenerator<Uint8Array> {
    for (let missing = count; missing > 0; ) {
      if (this.#left.length === 0) await this.#more();
      const part = this.#left.subarray(0, missing);
      this.#left = this.#left.subarray(part.length);
      missing -= part.length;
      yield part;
    }
  }

  async rest(most: number): Promise<string> {
    const parts = [this.#left];
    let bytes = this.#left.length;
    for (let next = await this.#chunks.next(); next.done !== true; next = await this.#chunks.next()) {
      bytes += next.value.length;
      if (bytes > most) throw broken();
      parts.push(next.value);
    }
    return Buffer.concat(parts).toString("utf8");
  }

  async #more(): Promise<void> {
    const next = await this.#chunks.next();
    if (next.done === true) throw broken();
    this.#left = next.value;
  }
}

function lengthOf(length: number): Uint8Array {
  const bytes = Buffer.alloc(LENGTH_BYTES);
  bytes.writeUInt32BE(length);
  return bytes;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw broken();
  }
}

function broken(): GranaryError {
  return new GranaryError(
    "upstream-protocol",
    "The bundle did not come whole: the connection ended before it.",
  );
}
