/**
 * Owns the simulated world of one Fill engine: its process (which can stop and crash), its disk, its blobs with an origin
 * each, and its readers, all on one fake clock. Readers check every byte they get; the world checks the invariants.
 */
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { isGranaryError } from "../../src/errors.ts";
import type { FillPolicy } from "../../src/fill/fill-policy.ts";
import { Fills } from "../../src/fill/fills.ts";
import type { Room } from "../../src/fill/room.ts";
import { Episodes } from "../../src/observe/episodes.ts";
import { type Log, silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { ENDLESS } from "../support/endless-room.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { digestOfPattern } from "../support/pattern.ts";
import { MemoryStore } from "./memory-spool.ts";
import { seededRandom } from "./seeded-random.ts";
import { SimulatedLine } from "./simulated-line.ts";
import { SimulatedOrigin } from "./simulated-origin.ts";
import { type ReaderOptions, SimulatedReader } from "./simulated-reader.ts";

const KIB = 1024;
const UPSTREAM = "upstream";

export const SIMULATED_POLICY: FillPolicy = {
  lanes: 4,
  smallBlob: 256 * KIB,
  firstSegment: 128 * KIB,
  largestSegment: 1024 * KIB,
  attempts: 6,
  outageMs: 60_000,
  lingerMs: 2_000,
  finish: false,
  starveMs: 5_000,
};

export type SimulatedBlob = {
  readonly upstream: string;
  readonly seed: number;
  readonly size: number;
  readonly digest: Digest;
  readonly origin: SimulatedOrigin;
};

export class World {
  readonly clock = new FakeClock();
  readonly random: () => number;
  readonly store = new MemoryStore(this.clock);
  /** What all its origins are reached over. */
  readonly line = new SimulatedLine(this.clock);
  readonly blobs: SimulatedBlob[] = [];
  readonly readers: SimulatedReader[] = [];
  readonly policy: FillPolicy;
  readonly metrics = createMetrics();
  /** Where the processes of this world log from the next boot on. */
  log: Log = silentLog;
  /** Whether a room can be extended. */
  hasRoom = true;
  /** What fills have taken and not released. */
  readonly rooms = new Set<Room>();
  readonly pins = new Set<symbol>();
  /** Bytes that rooms were to be extended to, in order. */
  readonly roomAsked: number[] = [];
  /** The next records that fail. */
  failingRecords = 0;
  readonly recorded: Digest[] = [];
  readonly #seed: number;
  fills: Fills;

  constructor(seed: number, size: number, policy: Partial<FillPolicy> = {}) {
    this.random = seededRandom(seed);
    this.#seed = seed;
    this.policy = { ...SIMULATED_POLICY, ...policy };
    this.add(size);
    this.fills = this.#boot();
  }

  /** One more blob. */
  add(size: number): SimulatedBlob {
    return this.#add(this.#seed + 1_000_003 * this.blobs.length, size, UPSTREAM);
  }

  /** The same content as `blob` has, at another upstream, which may lie where the first one does not. */
  addTwin({ seed, size }: SimulatedBlob): SimulatedBlob {
    return this.#add(seed, size, `${UPSTREAM}-${this.blobs.length}`);
  }

  #add(seed: number, size: number, upstream: string): SimulatedBlob {
    const origin = new SimulatedOrigin(this.clock, this.random, seed, size);
    origin.line = this.line;
    const blob = { upstream, seed, size, digest: digestOfPattern(seed, size), origin };
    this.blobs.push(blob);
    return blob;
  }

  /** The first blob: the only one of most worlds. */
  get blob(): SimulatedBlob {
    const [blob] = this.blobs;
    if (blob === undefined) throw new Error("a world without a blob");
    return blob;
  }

  get size(): number {
    return this.blob.size;
  }

  get digest(): Digest {
    return this.blob.digest;
  }

  get origin(): SimulatedOrigin {
    return this.blob.origin;
  }

  /** The running fill of the first blob, or a new one. */
  obtain(blob: SimulatedBlob = this.blob) {
    const { digest, upstream, size, origin } = blob;
    return this.fills.obtain({ digest, upstream, size, origin, policy: this.policy });
  }

  /** The running fill of a blob. */
  fill(blob: SimulatedBlob = this.blob) {
    return this.fills.find(blob);
  }

  /** A reader of `range`, or of the whole. A committed blob is opened by a fill that ends at once. */
  join(range?: ByteRange, options: ReaderOptions = {}, blob: SimulatedBlob = this.blob): SimulatedReader {
    const opened = this.obtain(blob).reader(range, undefined, options.wanting);
    const reader = new SimulatedReader(this.clock, opened, blob, range, options);
    this.readers.push(reader);
    return reader;
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
    await this.clock.advance(this.store.opened.size > 0 ? 10_000 : 0);
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
    for (const blob of this.blobs) this.#checkFill(blob);
    for (const reader of this.readers) checkReader(reader);
    for (const digest of this.recorded) {
      if (!this.store.blobs.has(digest)) throw new Error(`F9: ${digest} is recorded and not there`);
    }
  }

  #checkFill(blob: SimulatedBlob): void {
    const fill = this.fill(blob)?.facts;
    if (fill === undefined) return;
    if (fill.present > blob.size) throw new Error("more is present than there is");
    if (fill.lanes > this.policy.lanes) throw new Error("more lanes than the policy allows");
    // F4: whoever waits is served by a lane, or by a timer that will start one.
    if (fill.state === "filling" && fill.waits > 0 && fill.lanes === 0 && this.clock.timers === 0) {
      throw new Error(`F4: a reader waits, no lane runs, nothing will start one: ${JSON.stringify(fill)}`);
    }
  }

  /** After everybody left and lingers passed: nothing may be left behind. */
  async checkNothingIsLeft(): Promise<void> {
    await this.clock.advance(this.policy.lingerMs + 60_000);
    const { values } = await this.metrics.laneErrors.get();
    if (values.some(({ labels }) => labels.code === "unexpected"))
      throw new Error("a lane failed in a way that it never should");
    if (this.fills.status().length > 0)
      throw new Error(`a fill is left: ${JSON.stringify(this.fills.status())}`);
    if (this.store.opened.size > 0) throw new Error("a partial is left open");
    if (this.store.openBlobs > 0) throw new Error("a blob is left open");
    if (this.rooms.size > 0) throw new Error("room is left kept for a fill");
    if (this.pins.size > 0) throw new Error("F12: a pin of a fill is left");
    if (this.blobs.some(({ origin }) => origin.openBodies > 0))
      throw new Error("an upstream body is left open");
    if (this.clock.timers > 0) throw new Error(`${this.clock.timers} timers are left`);
  }

  #takeRoom(): Room {
    const extend = async (bytes: number) => {
      this.roomAsked.push(bytes);
      return this.hasRoom;
    };
    const room: Room = { ...ENDLESS, extend, release: () => void this.rooms.delete(room) };
    this.rooms.add(room);
    return room;
  }

  #boot(): Fills {
    const life = this.store.crashes;
    return new Fills({
      spool: this.store,
      blobs: this.store,
      clock: this.clock,
      log: this.log,
      episodes: new Episodes(this.log, this.clock),
      metrics: this.metrics,
      random: this.random,
      record: async (digest) => {
        if (life !== this.store.crashes) return;
        if (this.failingRecords-- > 0) throw new Error("simulated: the database is gone");
        this.recorded.push(digest);
      },
      takeRoom: () => this.#takeRoom(),
      pin: () => {
        const held = Symbol();
        this.pins.add(held);
        return () => this.pins.delete(held);
      },
    });
  }
}

function checkReader({ outcome, at, end, wrongAt, blob, whole, error }: SimulatedReader): void {
  if (at > end) throw new Error(`F2: a reader was given bytes past its range: ${at} > ${end}`);
  if (outcome === "done" && at !== end) throw new Error(`F2: a reader ended at ${at} of ${end}`);
  if (wrongAt !== undefined && blob.origin.corrupted === 0) throw new Error(`F2: byte ${wrongAt} is wrong`);
  if (wrongAt !== undefined && whole && outcome === "done")
    throw new Error(`F18: a whole reader finished with byte ${wrongAt} wrong`);
  if (isGranaryError(error, "digest-mismatch") && blob.origin.corrupted === 0)
    throw new Error("F10: a mismatch without a corrupt origin");
}
