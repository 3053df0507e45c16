/**
 * Owns the simulated world of one Fill engine: its process (which can stop and crash), its disk, its origin and its
 * readers, all on one fake clock. Readers check every byte they get; the world checks the invariants.
 */
import { GranaryError, isGranaryError } from "../../src/errors.ts";
import type { FillPolicy } from "../../src/fill/fill-policy.ts";
import { Fills } from "../../src/fill/fills.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import type { BlobReader } from "../../src/source.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { digestOfPattern, firstDifference } from "../support/pattern.ts";
import { MemoryStore } from "./memory-spool.ts";
import { seededRandom } from "./seeded-random.ts";
import { SimulatedOrigin } from "./simulated-origin.ts";

const KIB = 1024;

export const SIMULATED_POLICY: FillPolicy = {
  lanes: 4,
  smallBlob: 256 * KIB,
  firstSegment: 128 * KIB,
  largestSegment: 1024 * KIB,
  attempts: 6,
  lingerMs: 2_000,
  finish: false,
  starveMs: 5_000,
};

export type SimulatedReader = {
  readonly start: number;
  readonly end: number;
  readonly whole: boolean;
  at: number;
  /** Epoch ms since when it waits for its next bytes; undefined while it does not. */
  waitingSince: number | undefined;
  longestWaitMs: number;
  outcome: "reading" | "done" | "left" | "failed";
  error: unknown;
  leave(): void;
};

export class World {
  readonly clock = new FakeClock();
  readonly random: () => number;
  readonly origin: SimulatedOrigin;
  readonly store: MemoryStore;
  readonly size: number;
  readonly seed: number;
  readonly digest;
  readonly readers: SimulatedReader[] = [];
  readonly policy: FillPolicy;
  readonly metrics = createMetrics();
  hasRoom = true;
  recorded = 0;
  fills: Fills;

  constructor(seed: number, size: number, policy: Partial<FillPolicy> = {}) {
    this.random = seededRandom(seed);
    this.seed = seed;
    this.size = size;
    this.policy = { ...SIMULATED_POLICY, ...policy };
    this.digest = digestOfPattern(seed, size);
    this.store = new MemoryStore(this.clock);
    this.origin = new SimulatedOrigin(this.clock, this.random, seed, size);
    this.fills = this.#boot();
  }

  /** A reader of `[start, end)`, or of the whole, that reads at `bytesPerRead` a time with `pauseMs` in between. */
  join(
    range: { start: number; end: number } | undefined,
    pauseMs = 0,
    bytesPerRead = 64 * KIB,
  ): SimulatedReader {
    const { digest, size, origin, policy } = this;
    const blob = this.store.blobs.get(digest);
    if (blob !== undefined && this.fills.find(digest) === undefined) return this.#served(range);
    const reader = this.fills.obtain({ digest, size, origin, policy }).reader(range);
    const entry: SimulatedReader = {
      start: range?.start ?? 0,
      end: range?.end ?? size,
      whole: range === undefined,
      at: range?.start ?? 0,
      waitingSince: undefined,
      longestWaitMs: 0,
      outcome: "reading",
      error: undefined,
      leave: () => {
        if (entry.outcome === "reading") entry.outcome = "left";
        reader.close();
      },
    };
    this.readers.push(entry);
    void this.#read(entry, reader, pauseMs, bytesPerRead);
    return entry;
  }

  get reading(): SimulatedReader[] {
    return this.readers.filter((reader) => reader.outcome === "reading");
  }

  /** kill -9: nobody says goodbye, and the disk keeps what was synced. */
  async crash(): Promise<void> {
    this.store.crash();
    for (const reader of this.reading) reader.leave();
    const drained = this.fills.drain(0);
    await this.clock.advance(0);
    await drained;
    this.fills = this.#boot();
  }

  /** SIGTERM: fills checkpoint. */
  async restart(): Promise<void> {
    for (const reader of this.reading) reader.leave();
    const drained = this.fills.drain(10_000);
    await this.clock.advance(200);
    await drained;
    this.fills = this.#boot();
  }

  /** Advances until nobody reads any more, or `limitMs` have passed. */
  async finish(limitMs: number): Promise<void> {
    for (let passed = 0; passed < limitMs && this.reading.length > 0; passed += 500)
      await this.clock.advance(500);
  }

  /** What must hold after every step. */
  check(): void {
    const fill = this.fills.find(this.digest)?.facts;
    if (fill !== undefined && fill.present > this.size) throw new Error("more is present than there is");
    if (fill !== undefined && fill.lanes > this.policy.lanes)
      throw new Error("more lanes than the policy allows");
    // F4: whoever waits is served by a lane, or by a timer that will start one.
    if (fill?.state === "filling" && fill.waits > 0 && fill.lanes === 0 && this.clock.timers === 0) {
      throw new Error(
        `F4: a reader waits, no lane runs and nothing will start one: ${JSON.stringify({ fill, readers: this.reading, weather: this.origin.weather })}`,
      );
    }
    for (const reader of this.readers) {
      if (reader.outcome === "done" && reader.at !== reader.end)
        throw new Error(`F2: a reader ended at ${reader.at}`);
    }
  }

  /** After everybody left and lingers passed: nothing may be left behind. */
  async checkNothingIsLeft(): Promise<void> {
    await this.clock.advance(this.policy.lingerMs + 60_000);
    if (this.fills.status().length > 0)
      throw new Error(`a fill is left: ${JSON.stringify(this.fills.status())}`);
    if (this.store.opened.size > 0) throw new Error("a partial is left open");
    if (this.origin.openBodies > 0) throw new Error("an upstream body is left open");
    if (this.clock.timers > 0) throw new Error(`${this.clock.timers} timers are left`);
  }

  #boot(): Fills {
    return new Fills({
      spool: this.store,
      blobs: this.store,
      clock: this.clock,
      log: silentLog,
      metrics: this.metrics,
      random: this.random,
      record: async () => {
        this.recorded += 1;
      },
      makeRoom: async () => this.hasRoom,
    });
  }

  /** A blob that is committed is served from disk: here, at once. */
  #served(range: { start: number; end: number } | undefined): SimulatedReader {
    const end = range?.end ?? this.size;
    const entry: SimulatedReader = {
      start: range?.start ?? 0,
      end,
      whole: range === undefined,
      at: end,
      waitingSince: undefined,
      longestWaitMs: 0,
      outcome: "done",
      error: undefined,
      leave: () => {},
    };
    this.readers.push(entry);
    return entry;
  }

  async #read(
    entry: SimulatedReader,
    reader: BlobReader,
    pauseMs: number,
    bytesPerRead: number,
  ): Promise<void> {
    const buffer = new Uint8Array(bytesPerRead);
    try {
      for (;;) {
        entry.waitingSince = this.clock.now();
        const count = await reader.read(buffer);
        entry.longestWaitMs = Math.max(entry.longestWaitMs, this.clock.now() - entry.waitingSince);
        entry.waitingSince = undefined;
        if (entry.outcome !== "reading") return;
        if (count === 0) break;
        this.#checkBytes(entry, buffer.subarray(0, count));
        entry.at += count;
        if (pauseMs > 0) await new Promise<void>((resolve) => this.clock.after(pauseMs, resolve));
      }
      entry.outcome = "done";
    } catch (error) {
      if (entry.outcome === "left" && isGranaryError(error, "closed")) return;
      entry.outcome = "failed";
      entry.error = error;
    } finally {
      reader.close();
    }
  }

  #checkBytes(entry: SimulatedReader, bytes: Uint8Array): void {
    if (entry.at + bytes.length > entry.end)
      throw new GranaryError("size-mismatch", "F2: longer than its range");
    if (this.origin.weather.corrupt > 0) return;
    const wrong = firstDifference(this.seed, entry.at, bytes);
    if (wrong !== undefined) throw new Error(`F2: byte ${wrong} is wrong`);
  }
}
