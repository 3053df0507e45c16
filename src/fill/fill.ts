/**
 * Owns the Fill: the one transfer of a digest from one upstream, as others see it, and what it is made of. Its bytes are that upstream's
 * word until the digest is known to be right: nobody who asked another upstream is given any of them. It never sees a client's
 * signal (F5), and never leaves the map before its blob can be found on disk (F9). What happens to it is fill-course.ts's.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import type { RangeSet } from "../bytes/range-set.ts";
import type { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import type { Origin } from "../origin.ts";
import type { Wanting } from "../purpose.ts";
import type { BlobReader } from "../source.ts";
import { Content } from "./content.ts";
import type { FillAsk, FillSurroundings } from "./fill-ask.ts";
import { FillCourse } from "./fill-course.ts";
import { type FillFacts, factsOf } from "./fill-facts.ts";
import type { LaneOrder } from "./lane-order.ts";
import { Lanes } from "./lanes.ts";
import { Stream } from "./stream.ts";
import type { Supply } from "./supply.ts";

export class Fill {
  readonly digest: Digest;
  readonly upstream: string;
  readonly #content: Content;
  readonly #supply: Supply;
  readonly #course: FillCourse;
  readonly #clock: Clock;
  /** Epoch ms. */
  readonly #begunAt: number;

  /** Starts in the next tick. `leaveMap` is called when the fill must no longer be found, in the same tick. */
  constructor(ask: FillAsk, around: FillSurroundings, order: LaneOrder, leaveMap: (fill: Fill) => void) {
    const { digest, upstream, size, policy } = ask;
    this.digest = digest;
    this.upstream = upstream;
    this.#clock = around.clock;
    this.#begunAt = around.clock.now();
    const room = around.takeRoom(this, size ?? 0);
    const unpin = around.pin(digest);
    const isWanted = policy.finish || (size !== undefined && size <= policy.smallBlob);
    const { clock, follower } = around;
    const grown = follower && (() => follower.grown(this));
    const content = new Content({ digest, size, isWanted, clock, grown });
    const supply =
      size === undefined
        ? new Stream(ask, content, room, around)
        : new Lanes(
            { ...ask, size, order, purpose: () => this.#course.readers.purpose },
            content,
            room,
            around,
          );
    const leave = () => {
      leaveMap(this);
      unpin();
    };
    this.#content = content;
    this.#supply = supply;
    this.#course = new FillCourse({ ask, around, order, content, supply, room, leaveMap: leave });
    void Promise.resolve().then(() => this.#course.run());
  }

  /** Bytes; undefined as long as nobody knows. */
  get size(): number | undefined {
    return this.#content.size;
  }

  /** All of its bytes are here, whether they are known to be right or not. */
  get isWhole(): boolean {
    return this.#content.isWhole;
  }

  /** The bytes that are here. Live. */
  get present(): RangeSet {
    return this.#content.present;
  }

  /** For status and tests. */
  get facts(): FillFacts {
    return factsOf({
      digest: this.digest,
      upstream: this.upstream,
      begunAt: this.#begunAt,
      state: this.#course.state,
      content: this.#content,
      supply: this.#supply,
      readers: this.#course.readers,
      now: this.#clock.elapsed(),
    });
  }

  /** Resolves when it is over: its blob is committed, or it has let go of its partial. */
  get ended(): Promise<void> {
    return this.#course.ended;
  }

  /** Why it ended without its blob; undefined while it goes on, and when it is committed. */
  get failure(): GranaryError | undefined {
    const { state } = this.#course;
    return "failure" in state ? state.failure : undefined;
  }

  /** Names of the origins that its bytes may come from. */
  get origins(): readonly string[] {
    return this.#supply.origins;
  }

  addOrigin(origin: Origin): void {
    this.#supply.addOrigin(origin);
  }

  /**
   * A reader of `range`, or of the whole; `ahead` is what its client reads after that; `wanting` says what for, by default for a client that
   * waits. Synchronous: from here on the fill does not pause. Throws `range-unsatisfiable` for a range that is not inside the size.
   */
  reader(range?: ByteRange, ahead?: readonly ByteRange[], wanting?: Wanting): BlobReader {
    return this.#course.readers.open(range, ahead, wanting);
  }

  /** Somebody who cannot be counted among the readers needs all of it (another node of a fleet). */
  want(): void {
    this.#content.want();
  }

  /** See FillCourse. */
  refute(found: number): boolean {
    return this.#course.refute(found);
  }

  /** See FillCourse. */
  async stop(): Promise<void> {
    await this.#course.stop();
  }
}
