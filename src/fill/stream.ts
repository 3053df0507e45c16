/**
 * Owns the Stream: how a blob is fetched whose size nobody states. It is read once from its start into a growing file, from which all who
 * ask meanwhile are served. The body holds its last chunk back until the digest is known to be right (F18), so that nobody gets wrong bytes
 * with a regular end.
 */
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Origin } from "../origin.ts";
import type { Content } from "./content.ts";
import type { FillSurroundings } from "./fill-ask.ts";
import type { FillPolicy } from "./fill-policy.ts";
import { PassThrough } from "./pass-through.ts";
import type { Room } from "./room.ts";
import { asFailure, isDiskFailure, STOPPED, type Supply, type SupplyEnd, WHOLE } from "./supply.ts";

export type StreamAsk = {
  readonly digest: Digest;
  readonly upstream: string;
  readonly origin: Origin;
  readonly policy: FillPolicy;
};

const READ_BYTES = 1024 * 1024;
/** Room is reserved for as many bytes again as came so far, within these bounds. */
const LEAST_ROOM = 64 * 1024;
const MOST_ROOM = 64 * 1024 * 1024;

export class Stream implements Supply {
  readonly #ask: StreamAsk;
  readonly #content: Content;
  readonly #room: Room;
  readonly #around: FillSurroundings;
  #body: PassThrough | undefined;
  #copying: Promise<SupplyEnd> = Promise.resolve(STOPPED);
  /** How many bytes of the blob there is room for. */
  #reach = 0;

  constructor(ask: StreamAsk, content: Content, room: Room, around: FillSurroundings) {
    this.#ask = ask;
    this.#content = content;
    this.#room = room;
    this.#around = around;
  }

  get count(): number {
    return this.#body === undefined ? 0 : 1;
  }

  get places(): readonly number[] {
    return this.#body === undefined ? [] : [this.#content.present.total];
  }

  get origin(): Origin {
    return this.#ask.origin;
  }

  get origins(): readonly string[] {
    return [this.origin.name];
  }

  /** Does nothing: a stream stays with one origin. */
  addOrigin(_origin: Origin): void {}

  work(): Promise<SupplyEnd> {
    if (this.#content.isWhole) return Promise.resolve(WHOLE);
    const { digest, origin } = this.#ask;
    const range = { start: this.#content.present.total, end: Number.POSITIVE_INFINITY };
    const seed = (offset: number, into: Uint8Array) => this.#content.read(offset, into);
    const { clock, random } = this.#around;
    const ask = { digest, size: undefined, origin, range, whole: true, seed };
    const body = new PassThrough(ask, this.#ask.policy, clock, random);
    this.#body = body;
    this.#copying = this.#copy(body);
    return this.#copying;
  }

  async stop(): Promise<void> {
    this.#body?.close();
    this.#body = undefined;
    await this.#copying;
  }

  async #copy(body: PassThrough): Promise<SupplyEnd> {
    try {
      await this.#copyAll(body);
      return WHOLE;
    } catch (error) {
      if (this.#body !== body) return STOPPED;
      return this.#failed(error);
    } finally {
      if (this.#body === body) this.#body = undefined;
      body.close();
    }
  }

  async #copyAll(body: PassThrough): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      const count = await body.read(buffer);
      if (count === 0) return this.#content.endHere();
      const start = this.#content.present.total;
      const range = { start, end: start + count };
      await this.#extendRoom(range.end);
      await this.#content.write(start, [buffer.subarray(0, count)]);
      this.#content.mark(range);
    }
  }

  async #extendRoom(needed: number): Promise<void> {
    if (needed <= this.#reach) return;
    this.#reach = needed + Math.min(MOST_ROOM, Math.max(LEAST_ROOM, needed));
    if (await this.#room.extend(this.#reach)) return;
    throw new GranaryError("store-full", `There is no room to keep ${this.#ask.digest}.`);
  }

  #failed(error: unknown): SupplyEnd {
    const isWrong = isGranaryError(error, "digest-mismatch");
    if (!isDiskFailure(error)) this.#report(error, isWrong);
    const failure = asFailure(error, `Reading ${this.#ask.digest}`);
    return { end: isWrong ? "rejected" : "stalled", error: failure };
  }

  #report(error: unknown, isWrong: boolean): void {
    const { digest, upstream, origin } = this.#ask;
    const { metrics, episodes } = this.#around;
    const code = isGranaryError(error) ? error.code : "unexpected";
    metrics.laneErrors.inc({ upstream, code });
    if (isWrong) metrics.originStrikes.inc({ upstream });
    const facts = { digest, origin: origin.name, code, reason: messageOf(error) };
    episodes.trouble(`transfers from ${upstream}: ${code}`, facts, "a transfer failed");
  }
}
