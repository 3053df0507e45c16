/**
 * Owns the reading of objects by signed addresses, over connections of its own: a third of the time that the SDK takes. A signed address is a
 * secret, and must never enter a message, a log or the cause of an error.
 */
import type { Readable } from "node:stream";
import { Agent, type Dispatcher } from "undici";
import { type ByteRange, formatRange, lengthOf } from "../../bytes/byte-range.ts";
import { formatRangeHeader, parseContentRange } from "../../bytes/http-range.ts";
import { isGranaryError } from "../../errors.ts";
import { abortedError, throwIfAborted } from "../../waiting/abort.ts";
import type { OpenedObject } from "../bucket.ts";
import { bucketError, nonsenseError, seenOf, soundCode } from "./bucket-failures.ts";
import type { BucketPlace } from "./bucket-settings.ts";

const DOING = "read from the fleet's bucket";

/** How long a connection, the headers of an answer, and the next bytes of its body are waited for. */
const CONNECT_MS = 3_000;
const HEADERS_MS = 5_000;
const STALL_MS = 15_000;
/** Shorter than the patience of the usual front ends with an idle connection. */
const KEEP_ALIVE_MS = 5_000;
/** With less, undici pauses and resumes the socket for every buffer. */
const READ_AHEAD = 2 ** 20;
/** Of an error's body so much is read, bytes. */
const MOST_ERROR = 64 * 2 ** 10;

/** The object is not there; or no byte of the range is. */
export type Unopened = "absent" | "past the end";

export class SignedReads {
  readonly #place: BucketPlace;
  readonly #agent = new Agent({
    connect: { timeout: CONNECT_MS },
    headersTimeout: HEADERS_MS,
    bodyTimeout: STALL_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    pipelining: 1,
    allowH2: false,
  });

  constructor(place: BucketPlace) {
    this.#place = place;
  }

  /** `range` has at least one byte. Throws `fleet-unavailable`, and `aborted` when `signal` says so. */
  async open(url: string, range: ByteRange, signal: AbortSignal): Promise<OpenedObject | Unopened> {
    const answer = await this.#ask(url, range, signal);
    // What destroys a body that nobody reads is ours; a reader hears of every failure in its own loop.
    answer.body.on("error", () => undefined);
    if (answer.statusCode !== 200 && answer.statusCode !== 206) return await this.#unopened(answer, signal);
    try {
      const { range: came, size } = this.#accepted(answer, range);
      const body = this.#exactly(answer.body, lengthOf(came), signal);
      return { range: came, size, body, dismiss: () => void answer.body.destroy() };
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
  }

  /** Ends what is being read. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #ask(url: string, range: ByteRange, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { origin, pathname, search } = new URL(url);
    const headers = { range: formatRangeHeader(range) };
    const options = {
      origin,
      path: pathname + search,
      method: "GET",
      headers,
      signal,
      highWaterMark: READ_AHEAD,
    } as const;
    try {
      return await this.#agent.request(options).catch((error: unknown) => {
        // The store has closed an idle connection in the moment in which we took it.
        if (signal.aborted || !/^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(seenOf(error).code ?? ""))
          throw error;
        return this.#agent.request(options);
      });
    } catch (error) {
      throw this.#failure(error, signal);
    }
  }

  /** What a good answer carries. A store may ignore the range only where that makes no difference. */
  #accepted(
    { statusCode, headers }: Dispatcher.ResponseData,
    asked: ByteRange,
  ): Pick<OpenedObject, "range" | "size"> {
    const length = lengthHeader(headers["content-length"]);
    if (statusCode === 200) {
      if (asked.start === 0 && length !== undefined && length <= asked.end)
        return { range: { start: 0, end: length }, size: length };
      throw nonsenseError(
        DOING,
        this.#place,
        `answered the whole object where ${formatRange(asked)} was asked for`,
      );
    }
    const { range, size } = parseContentRange(String(headers["content-range"])) ?? {};
    if (
      range === undefined ||
      size === undefined ||
      range.start !== asked.start ||
      range.end !== Math.min(asked.end, size)
    ) {
      throw nonsenseError(
        DOING,
        this.#place,
        `did not answer with ${formatRange(asked)}, which was asked for`,
      );
    }
    if (length !== undefined && length !== lengthOf(range)) {
      throw nonsenseError(
        DOING,
        this.#place,
        `answered ${length} bytes for the ${lengthOf(range)} of ${formatRange(range)}`,
      );
    }
    return { range, size };
  }

  async #unopened({ statusCode, body }: Dispatcher.ResponseData, signal: AbortSignal): Promise<Unopened> {
    const code = await this.#codeOf(body, signal);
    if (statusCode === 416) return "past the end";
    if (statusCode === 404 && code === "NoSuchKey") return "absent";
    throw bucketError(DOING, this.#place, { status: statusCode, code });
  }

  async #codeOf(body: Readable, signal: AbortSignal): Promise<string | undefined> {
    let text = "";
    try {
      for await (const chunk of body) {
        text += String(chunk);
        if (text.length > MOST_ERROR) break;
      }
    } catch (error) {
      throw this.#failure(error, signal);
    }
    return soundCode(/<Code>([^<]*)<\/Code>/.exec(text)?.[1]);
  }

  /** Exactly `length` bytes, or an error. */
  async *#exactly(
    body: Readable,
    length: number,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let came = 0;
    try {
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        came += chunk.byteLength;
        if (came > length)
          throw nonsenseError(DOING, this.#place, `sent more than the ${length} bytes that it announced`);
        yield chunk;
      }
    } catch (error) {
      throw this.#failure(error, signal);
    }
    throwIfAborted(signal, DOING);
    if (came < length)
      throw nonsenseError(DOING, this.#place, `sent ${came} of the ${length} bytes that it announced`);
  }

  #failure(error: unknown, signal: AbortSignal): Error {
    if (isGranaryError(error)) return error;
    if (signal.aborted) return abortedError(signal, "reading from the fleet's bucket");
    return bucketError(DOING, this.#place, seenOf(error));
  }
}

function lengthHeader(header: string | string[] | undefined): number | undefined {
  return typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
