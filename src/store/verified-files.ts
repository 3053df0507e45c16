/**
 * Owns what this process knows about the bytes of stored files: which of them it has hashed and found right, and the hashing of the others.
 * It no longer knows a file that was written to, replaced or touched since. It decides nothing about files that are wrong.
 */

import { type FileLook, type OpenFile, TICK_MS } from "../files/open-file.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import { algorithmOf, type Digest } from "../oci/digest.ts";
import type { Verification } from "./blob-store.ts";
import { type FileFollower, followFile } from "./digest-follower.ts";

/** Enough for every blob of a large cache; a file that is forgotten is only hashed once more. */
const MOST_KNOWN = 200_000;
/** What is hashed between two pauses. */
const STEP_BYTES = 4 * 1024 * 1024;

/** Bytes a second while nobody waits; asked before each step. */
export type Pace = () => number;

export class VerifiedFiles {
  readonly #clock: Clock;
  readonly #stamps = new Map<Digest, string>();
  /** Files that were found wrong, for as long as they could not be moved away. */
  readonly #wrong = new Map<Digest, string>();
  readonly #running = new Map<string, Hashing>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when the file is as it was when its bytes were found right. */
  knows(digest: Digest, { stamp }: FileLook): boolean {
    return this.#stamps.get(digest) === stamp;
  }

  /** The bytes of `digest` were hashed on their way into this file. Not recorded while the file is so new that another write could leave no trace. */
  trust(digest: Digest, look: FileLook): void {
    if (!this.#isFresh(look)) remember(this.#stamps, digest, look.stamp);
  }

  /** One hashing of a file for everybody who asks meanwhile; it goes at the pace of who asked first, until somebody hurries it. */
  hash(digest: Digest, file: OpenFile, look: FileLook, pace: Pace): Verification {
    if (this.#wrong.get(digest) === look.stamp) return KNOWN_WRONG;
    const key = `${digest} ${look.identity}`;
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const follower = followFile({
      path: file.path,
      descriptor: file.descriptorPath,
      identity: look.identity,
      algorithm: algorithmOf(digest),
      size: look.size,
    });
    // A write in the same tick as the start of the hashing would leave no trace.
    const delayMs = this.#isFresh(look) ? TICK_MS : 0;
    const verdict = this.#settle(digest, look, follower).finally(() => this.#running.delete(key));
    // Whoever waits for the verdict gets the failure; nobody has to wait.
    verdict.catch(() => undefined);
    const hashing = new Hashing({ verdict, follower, size: look.size, clock: this.#clock, pace, delayMs });
    this.#running.set(key, hashing);
    return hashing;
  }

  async #settle(digest: Digest, look: FileLook, follower: FileFollower): Promise<boolean> {
    const { digest: found, stamp } = await follower.hashed();
    const isSound = found === digest;
    if (stamp === look.stamp) remember(isSound ? this.#stamps : this.#wrong, digest, stamp);
    return isSound;
  }

  #isFresh({ writtenAt }: FileLook): boolean {
    return Math.abs(this.#clock.now() - writtenAt) < TICK_MS;
  }
}

const KNOWN_WRONG: Verification = {
  verdict: Promise.resolve(false),
  done: 0,
  hurry: () => undefined,
  stop: () => undefined,
};

/** Adds it as the newest; the oldest is forgotten when there are too many. */
function remember(stamps: Map<Digest, string>, digest: Digest, stamp: string): void {
  stamps.delete(digest);
  stamps.set(digest, stamp);
  const [oldest] = stamps.keys();
  if (stamps.size > MOST_KNOWN && oldest !== undefined) stamps.delete(oldest);
}

type HashingParts = {
  readonly verdict: Promise<boolean>;
  readonly follower: FileFollower;
  readonly size: number;
  readonly clock: Clock;
  readonly pace: Pace;
  readonly delayMs: number;
};

/** Lets the follower go on step by step, as fast as the pace allows. */
class Hashing implements Verification {
  readonly verdict: Promise<boolean>;
  readonly #parts: HashingParts;
  #timer: Timer | undefined;
  #isHurried = false;
  #end = 0;

  constructor(parts: HashingParts) {
    this.verdict = parts.verdict;
    this.#parts = parts;
    this.#after(parts.delayMs);
  }

  get done(): number {
    return this.#parts.follower.done;
  }

  hurry(): void {
    if (this.#isHurried) return;
    this.#isHurried = true;
    // The first step waits until the tick is over, also when somebody hurries.
    if (this.#end > 0) this.#step();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#parts.follower.close();
  }

  #after(ms: number): void {
    if (ms === 0) this.#step();
    else this.#timer = this.#parts.clock.after(ms, () => this.#step());
  }

  #step(): void {
    const { follower, size, pace } = this.#parts;
    this.#timer?.cancel();
    const rate = this.#isHurried ? Number.POSITIVE_INFINITY : pace();
    this.#end = rate === Number.POSITIVE_INFINITY ? size : Math.min(size, this.#end + STEP_BYTES);
    follower.advance(this.#end);
    if (this.#end < size) this.#after(Math.ceil((STEP_BYTES / rate) * 1000));
  }
}
