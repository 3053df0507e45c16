/**
 * Owns one node's part of a fleet: the leases that this process has, and what it says to questions about them. Whoever holds a lease by the
 * database's word may have lost it by this process's clock, never the other way round. It writes no SQL and moves no bytes.
 */
import { randomUUID } from "node:crypto";
import { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Epoch, Fleet, Holder, Lease, Member, Standing, StoredObject } from "../fleet.ts";
import { Heartbeat, type HeartbeatSettings } from "./heartbeat.ts";
import type { GivenLease, HeardBeat, HolderRow, LeaseRows, NodeProcess, Tidying } from "./lease-rows.ts";
import { OwnLease } from "./own-lease.ts";

/** Bytes: a repository's name, a tag and a digest fit in several times. */
const MOST_KEY_BYTES = 1024;
/** Rows that nobody knows of are looked for with every so many beats, even without a reason. */
const TIDY_EVERY = 10;

export type NodeFleetOptions = Pick<Member, "node" | "address" | "zone" | "version"> &
  Partial<Pick<HeartbeatSettings, "told" | "beatMs" | "lifetimeMs">> & {
    readonly rows: LeaseRows;
    readonly clock: Clock;
    readonly log: Log;
  };

export class NodeFleet implements Fleet {
  readonly node: string;
  /** Of this process alone: a node that is started again has another. */
  readonly incarnation = randomUUID();
  readonly #rows: LeaseRows;
  readonly #clock: Clock;
  readonly #log: Log;
  /** This process among the nodes. */
  readonly process: NodeProcess;
  readonly #heartbeat: Heartbeat;
  readonly #mine = new Map<string, OwnLease>();
  /** By key: the greatest epoch that had been seen when the question was sent. Its own will be greater. */
  readonly #asking = new Map<string, Epoch>();
  readonly #listeners = new Set<() => void>();
  /** By upstream: until when it is not to be asked, of the clock's `elapsed`. */
  #pauses: ReadonlyMap<string, number> = new Map();
  #seen: Epoch = 0;
  #beats = 0;
  /** The database may have leases of this process that it knows nothing of. */
  #isDoubtful = false;
  readonly #stopHearing: () => void;

  /** Beats once a second and lives for 4 s, unless told otherwise. `start` begins. */
  constructor(options: NodeFleetOptions) {
    const { node, rows, clock, log, told = () => ({}), beatMs = 1_000, lifetimeMs = 4_000 } = options;
    this.node = node;
    this.#rows = rows;
    this.#clock = clock;
    this.#log = log;
    this.process = { node, incarnation: this.incarnation };
    this.#heartbeat = new Heartbeat(
      { ...options, told, beatMs, lifetimeMs },
      {
        rows,
        clock,
        log,
        process: this.process,
        tidying: () => this.#tidying(),
        seen: () => this.#seen,
        onLost: (why) => this.#loseAll(why),
        onBeat: (heard) => this.#heard(heard),
        onUnheard: () => {
          this.#isDoubtful = true;
        },
      },
    );
    this.#stopHearing = rows.onAnswering((isAnswering) => {
      if (isAnswering) void this.#heartbeat.tick();
    });
  }

  /** Sends the first heartbeat and goes on with them. Never rejects: without a database the node is alone until it answers. */
  start(): Promise<void> {
    return this.#heartbeat.start();
  }

  get isAnswering(): boolean {
    return this.#rows.isAnswering;
  }

  onAnswering(listener: (isAnswering: boolean) => void): () => void {
    return this.#rows.onAnswering(listener);
  }

  /** Hears after each heartbeat that the database has answered. Returns how to stop. The listener must not throw. */
  onBeat(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async resolve(digest: Digest, key: string): Promise<Standing> {
    checkKey(key);
    const { object, holder: row } = await this.#rows.resolve(digest, key);
    if (object !== undefined) {
      this.#see(object.epoch);
      return { is: "stored", object };
    }
    const holder = this.#holderOf(key, row);
    return holder === undefined ? { is: "free" } : { is: "held", holder };
  }

  async holder(key: string): Promise<Holder | undefined> {
    checkKey(key);
    return this.#holderOf(key, await this.#rows.holder(key));
  }

  async acquire(key: string): Promise<Lease | undefined> {
    checkKey(key);
    if (!this.#heartbeat.isLive) return this.#whyNotLive();
    if (this.#mine.has(key) || this.#asking.has(key)) return undefined;
    const seen = this.#seen;
    const term = this.#heartbeat.term;
    this.#asking.set(key, seen);
    try {
      const given = await this.#ask(key);
      if (given === undefined) return undefined;
      return await this.#take(key, given, { seen, term });
    } finally {
      this.#asking.delete(key);
    }
  }

  forget(object: StoredObject): Promise<void> {
    return this.#rows.forget(object);
  }

  members(): Promise<readonly Member[]> {
    return this.#rows.members();
  }

  async leases(limit: number) {
    const rows = await this.#rows.leases(limit);
    return rows.map(({ key, holder, heldMs }) => ({ key, heldMs, holder: this.#named(key, holder) }));
  }

  /** No node asks the upstream for `forMs`; the others hear it with their next heartbeat. Throws `fleet-unavailable`. */
  async pause(upstream: string, forMs: number): Promise<void> {
    await this.#rows.pause(upstream, forMs);
  }

  /** For how long the fleet does not ask the upstream, ms; 0 when it may. As the last heartbeat told it. */
  pausedForMs(upstream: string): number {
    return Math.max(0, (this.#pauses.get(upstream) ?? 0) - this.#clock.elapsed());
  }

  async close(): Promise<void> {
    this.#stopHearing();
    this.#heartbeat.stop();
    // What cannot be said now ends with the heartbeat.
    await this.#rows.leave(this.process).catch(() => undefined);
    await this.#rows.close();
  }

  /** Until the next heartbeat nothing can be held: that is less than a second, unless something is wrong. */
  #whyNotLive(): undefined {
    this.#heartbeat.throwIfNameTaken();
    if (this.#rows.isAnswering) return undefined;
    throw new GranaryError(
      "fleet-unavailable",
      "The database of this fleet does not answer: look whether it runs, and whether this node reaches it.",
    );
  }

  async #ask(key: string): Promise<GivenLease | undefined> {
    try {
      return await this.#rows.acquire(key, this.process);
    } catch (error) {
      this.#isDoubtful = true; // It may have been given all the same.
      throw error;
    }
  }

  /** What was given is taken only if this process was sure of itself all the while. */
  async #take(
    key: string,
    given: GivenLease,
    asked: { seen: Epoch; term: number },
  ): Promise<Lease | undefined> {
    const isNew = given.epoch > asked.seen;
    this.#see(given.epoch);
    if (!isNew || !this.#heartbeat.isLive || this.#heartbeat.term !== asked.term) {
      this.#isDoubtful = true;
      // The database was brought back from a copy under our hands.
      if (!isNew) await this.#rows.raiseEpochs(asked.seen);
      return undefined;
    }
    const lease = new OwnLease(key, given, {
      rows: this.#rows,
      process: this.process,
      isLive: () => this.#heartbeat.isLive,
      ended: (ended, isDoubtful) => this.#ended(ended, isDoubtful),
    });
    this.#mine.set(key, lease);
    return lease;
  }

  #ended(lease: OwnLease, isDoubtful: boolean): void {
    if (this.#mine.get(lease.key) === lease) this.#mine.delete(lease.key);
    if (isDoubtful) this.#isDoubtful = true;
  }

  #loseAll(why: string): void {
    const leases = [...this.#mine.values()];
    this.#isDoubtful = true;
    if (leases.length > 0)
      this.#log.warn({ leases: leases.length }, `this node has lost its leases, because ${why}`);
    for (const lease of leases) lease.lose(why);
  }

  #heard({ pauses, epoch }: HeardBeat): void {
    this.#see(epoch);
    const now = this.#clock.elapsed();
    this.#pauses = new Map(pauses.map(({ upstream, forMs }) => [upstream, now + forMs]));
    for (const listener of this.#listeners) listener();
  }

  /** A question that is under way gets a greater epoch than any that was seen before it: what is given meanwhile is not cleared away. */
  #tidying(): Tidying | undefined {
    this.#beats += 1;
    if (!this.#isDoubtful && this.#beats % TIDY_EVERY !== 0) return undefined;
    const upTo = Math.min(this.#seen, ...this.#asking.values());
    this.#isDoubtful = this.#asking.size > 0;
    return { upTo, keep: [...this.#mine.values()].map(({ epoch }) => epoch) };
  }

  /** A row of this process that it knows nothing of counts as free: the next heartbeat clears it away. */
  #holderOf(key: string, row: HolderRow | undefined): Holder | undefined {
    if (row === undefined) return undefined;
    const holder = this.#named(key, row);
    if (row.incarnation !== this.process.incarnation || holder.isMe) return holder;
    this.#isDoubtful = true;
    return undefined;
  }

  #named(key: string, { node, address, incarnation, epoch }: HolderRow): Holder {
    this.#see(epoch);
    const mine = this.#mine.get(key);
    if (mine !== undefined && mine.epoch < epoch) mine.lose("another node has it");
    const isMe = incarnation === this.process.incarnation && mine?.epoch === epoch && mine.isMine;
    return { node, address, epoch, isMe };
  }

  #see(epoch: Epoch): void {
    this.#seen = Math.max(this.#seen, epoch);
  }
}

function checkKey(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes <= MOST_KEY_BYTES) return;
  throw new GranaryError(
    "reference-invalid",
    `The name of a lease has ${bytes} bytes, and at most ${MOST_KEY_BYTES} are kept: ask for something with a shorter name.`,
  );
}
