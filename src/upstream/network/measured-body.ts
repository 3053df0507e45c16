/**
 * Owns the body of one opened range: exactly the announced bytes, or an error after the bytes that came. It passes on the network's own
 * buffers without a copy, one promise for each, and must never end early without an error.
 */
import type { Readable } from "node:stream";
import { GranaryError } from "../../errors.ts";
import type { PaidBody } from "./paid-body.ts";

export type MeasuredBodyOptions = {
  readonly stream: Readable;
  /** Announced bytes; more than these are cut off. Infinity when no length was announced: then a clean end of the stream is the end. */
  readonly length: number;
  /** For messages: "GET https://host/path". */
  readonly doing: string;
  readonly toError: (error: unknown) => GranaryError;
  /** What its bytes cost of the limits of bandwidth. */
  readonly paid?: PaidBody;
  /** Called with bytes received since the last call, every few MiB and at the end. */
  readonly count: (bytes: number) => void;
};

type Result = IteratorResult<Uint8Array, undefined>;
type Parked = { readonly resolve: (result: Result) => void; readonly reject: (error: GranaryError) => void };

/** Counting every buffer would cost a visible part of the processor time at 1 GB/s. */
const COUNT_EVERY = 4 * 2 ** 20;

/**
 * Bytes that may wait here while a lane writes. With the stream's own limit of 64 KiB, which is one read of the socket, undici would pause
 * and resume the socket for every buffer.
 */
const WAITING = 2 ** 20;

const DONE: Result = { done: true, value: undefined };

export class MeasuredBody implements AsyncIterableIterator<Uint8Array> {
  readonly #options: MeasuredBodyOptions;
  readonly #stream: Readable;
  /** Received and not yet taken, oldest first. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Bytes still to be received. */
  #left: number;
  #uncounted = 0;
  #error: GranaryError | undefined;
  #isOver = false;
  #parked: Parked | undefined;

  constructor(options: MeasuredBodyOptions) {
    this.#options = options;
    this.#stream = options.stream;
    this.#left = options.length;
    this.#stream.on("end", () => {
      if (this.#left === Number.POSITIVE_INFINITY) this.#left = 0;
      this.#end(undefined);
    });
    this.#stream.on("close", () => this.#end(undefined));
    this.#stream.on("error", (error) => this.#end(options.toError(error)));
    this.#stream.on("data", (chunk: Buffer) => this.#receive(chunk));
    if (this.#left === 0) this.#end(undefined);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Bytes have come and wait to be taken. */
  get hasArrived(): boolean {
    return this.#waitingBytes > 0;
  }

  next(): Promise<Result> {
    const chunk = this.#waiting.shift();
    if (chunk !== undefined) {
      this.#waitingBytes -= chunk.length;
      if (this.#waitingBytes < this.#most / 2 && !this.#isOver) this.#stream.resume();
      const due = this.#options.paid?.came(chunk.length);
      const result: Result = { done: false, value: chunk };
      return due === undefined ? Promise.resolve(result) : due.then(() => result);
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#isOver) return this.#done();
    return new Promise((resolve, reject) => {
      this.#parked = { resolve, reject };
    });
  }

  /** Ends the reading. Before the last byte this closes the connection; after it the connection can be used again. */
  return(): Promise<Result> {
    this.dismiss();
    return Promise.resolve(DONE);
  }

  /** The same for a body that nobody began to read. Idempotent. */
  dismiss(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#isOver) return;
    this.#isOver = true;
    this.#count();
    this.#options.paid?.end();
    this.#parked?.resolve(DONE);
    this.#parked = undefined;
    this.#stream.destroy();
  }

  #receive(chunk: Buffer): void {
    // More bytes than announced: what follows on this connection cannot be trusted.
    if (chunk.length > this.#left) this.#stream.destroy();
    if (this.#isOver) return;
    const wanted = chunk.length > this.#left ? chunk.subarray(0, this.#left) : chunk;
    this.#left -= wanted.length;
    this.#uncounted += chunk.length;
    if (this.#uncounted >= COUNT_EVERY) this.#count();
    if (wanted.length > 0) this.#deliver(wanted);
    if (this.#left === 0) this.#end(undefined);
  }

  #deliver(chunk: Uint8Array): void {
    if (this.#parked !== undefined) {
      const { resolve, reject } = this.#parked;
      this.#parked = undefined;
      const due = this.#options.paid?.came(chunk.length);
      const result: Result = { done: false, value: chunk };
      if (due === undefined) resolve(result);
      else due.then(() => resolve(result), reject);
      return;
    }
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= this.#most && this.#left > 0) this.#stream.pause();
  }

  /** Under a limit as little as possible: what waits here has crossed the line already. */
  get #most(): number {
    return this.#options.paid?.isLimited === true ? 1 : WAITING;
  }

  /** All bytes have come, or no more will come. */
  #end(error: GranaryError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#count();
    // What waits here is paid for when it is taken.
    if (this.#waitingBytes === 0) this.#options.paid?.end();
    if (this.#left > 0) this.#error = error ?? this.#short();
    if (this.#error === undefined) this.#parked?.resolve(DONE);
    else this.#parked?.reject(this.#error);
    this.#parked = undefined;
  }

  /**
   * undici makes a connection available again one turn of the event loop after its last byte. A request that is sent before that would open
   * another connection, with its handshake.
   */
  #done(): Promise<Result> {
    return new Promise((resolve) => setImmediate(resolve, DONE));
  }

  #short(): GranaryError {
    const { length, doing } = this.#options;
    const found = length - this.#left;
    return new GranaryError("upstream-unavailable", `${doing} ended after ${found} of ${length} bytes.`, {
      expected: length,
      found,
      target: doing,
      reason: "a transfer was cut off",
    });
  }

  #count(): void {
    if (this.#uncounted > 0) this.#options.count(this.#uncounted);
    this.#uncounted = 0;
  }
}
