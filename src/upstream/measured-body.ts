/**
 * Owns the body of one opened range: exactly the announced bytes, or an error. It hands on the network's own buffers
 * with one promise per buffer and no copy, and must never end early without an error.
 */
import type { Readable } from "node:stream";
import { GranaryError } from "../errors.ts";

export type MeasuredBodyOptions = {
  readonly stream: Readable;
  /** Bytes announced; what comes after them is cut off. */
  readonly length: number;
  /** For messages: "GET https://host/path". */
  readonly doing: string;
  readonly toError: (error: unknown) => GranaryError;
  /** Called with bytes received since the last call, every few MiB and at the end. */
  readonly count: (bytes: number) => void;
};

type Result = IteratorResult<Uint8Array, undefined>;
type Parked = { readonly resolve: (result: Result) => void; readonly reject: (error: GranaryError) => void };

/** Counting per buffer would be a visible cost at 1 GB/s. */
const COUNT_EVERY = 4 * 2 ** 20;

const DONE: Result = { done: true, value: undefined };

export class MeasuredBody implements AsyncIterableIterator<Uint8Array> {
  readonly #options: MeasuredBodyOptions;
  readonly #stream: Readable;
  #left: number;
  #uncounted = 0;
  #error: GranaryError | undefined;
  #isEnded = false;
  #parked: Parked | undefined;

  constructor(options: MeasuredBodyOptions) {
    this.#options = options;
    this.#stream = options.stream;
    this.#left = options.length;
    this.#stream.on("readable", () => this.#onReadable());
    this.#stream.on("end", () => this.#finish(undefined));
    this.#stream.on("error", (error) => this.#finish(options.toError(error)));
    this.#stream.on("close", () => this.#finish(undefined));
    if (this.#left === 0) this.#completed();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    if (this.#left === 0) return this.#done();
    const chunk = this.#take();
    if (chunk !== undefined) return Promise.resolve({ done: false, value: chunk });
    if (this.#isEnded) return this.#error === undefined ? Promise.resolve(DONE) : Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#parked = { resolve, reject };
    });
  }

  /** Leaving early closes the connection; after the last byte it may be used again. */
  return(): Promise<Result> {
    this.dismiss();
    return Promise.resolve(DONE);
  }

  /** The same for a body that nobody began to read. Idempotent. */
  dismiss(): void {
    if (this.#left === 0) return;
    this.#count();
    this.#isEnded = true;
    this.#left = 0;
    this.#parked?.resolve(DONE);
    this.#parked = undefined;
    this.#stream.destroy();
  }

  /**
   * undici gives a connection back one turn of the event loop after its last byte: whoever asks again at once would
   * open another one, with its handshake.
   */
  #done(): Promise<Result> {
    return new Promise((resolve) => setImmediate(resolve, DONE));
  }

  #onReadable(): void {
    if (this.#left === 0) this.#drain();
    if (this.#left === 0 || this.#parked === undefined) return;
    const chunk = this.#take();
    if (chunk === undefined) return;
    const { resolve } = this.#parked;
    this.#parked = undefined;
    resolve({ done: false, value: chunk });
  }

  #take(): Uint8Array | undefined {
    const chunk: Buffer | null = this.#stream.read();
    if (chunk === null) return undefined;
    const wanted = chunk.length > this.#left ? chunk.subarray(0, this.#left) : chunk;
    this.#left -= wanted.length;
    this.#uncounted += chunk.length;
    if (this.#uncounted >= COUNT_EVERY) this.#count();
    if (wanted.length < chunk.length) this.#stream.destroy();
    if (this.#left === 0) this.#completed();
    return wanted;
  }

  #completed(): void {
    this.#isEnded = true;
    this.#count();
    this.#drain();
  }

  /** Lets the stream see its end, so that its connection is freed; more bytes than announced end the connection. */
  #drain(): void {
    const extra: unknown = this.#stream.read();
    if (extra !== null) this.#stream.destroy();
  }

  #finish(error: GranaryError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#count();
    this.#error = error ?? this.#short();
    this.#parked?.reject(this.#error);
    this.#parked = undefined;
  }

  #short(): GranaryError {
    const { length, doing } = this.#options;
    const got = length - this.#left;
    return new GranaryError("upstream-unavailable", `${doing} ended after ${got} of ${length} bytes.`, {
      expected: length,
      found: got,
      target: doing,
    });
  }

  #count(): void {
    if (this.#uncounted > 0) this.#options.count(this.#uncounted);
    this.#uncounted = 0;
  }
}
