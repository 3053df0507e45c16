/**
 * Owns a fleet in the simulation of leases: nodes with clocks of their own, one database, one bucket, and the truth about all of them, by which
 * it asserts after each thing that happens.
 */
import type { Epoch, Holder, Lease, StoredObject } from "../../../src/fleet/fleet.ts";
import { NodeFleet } from "../../../src/fleet/leases/node-fleet.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { type Digest, parseDigest } from "../../../src/oci/digest.ts";
import { memoryLeaseRows } from "../../support/memory-lease-rows.ts";
import { MemoryLeaseTable } from "../../support/memory-lease-table.ts";
import { SimulatedBucket } from "./simulated-bucket.ts";
import { type Outside, SimulatedFiller } from "./simulated-filler.ts";
import { SimulatedProcess } from "./simulated-process.ts";
import { SimulatedWire, type Weather } from "./simulated-wire.ts";
import { Timeline } from "./timeline.ts";

/** For so long after the database was lost, who had a lease by the old one may still act under it. */
const AFTER_LOSS_MS = 4_000;
/** A process that has the name of another one, by mistake. */
const TWIN = "node-1 too";
/** Longer than a message or a stopped process can take. */
const GRACE_MS = 30_000;

export class LeaseWorld implements Outside {
  readonly timeline: Timeline;
  readonly bucket = new SimulatedBucket((what) => this.broken(what));
  readonly table: MemoryLeaseTable;
  readonly weather: Weather = { isAway: false, life: 1, loss: 0, mostDelayMs: 10, cutOff: new Set() };
  readonly parts: number;
  readonly digests: readonly Digest[];
  troubles = 0;
  readonly committing = new Set<Lease>();
  /** By place: the process that runs now, or did last. */
  readonly nodes = new Map<string, SimulatedFiller>();
  /** What happened, so that it can be seen that something did. */
  readonly counts = { asked: 0, alone: 0, served: 0, refused: 0, stored: 0 };
  /** Machines of this world fall asleep; in others their dates are set. */
  readonly isSleepy: boolean;
  /** Nodes of this world look at their leases all the time; those of others only when they act. */
  readonly #isWatchful: boolean;
  #lostAt = Number.NEGATIVE_INFINITY;
  /** When a row last went that was right. */
  #evictedAt = Number.NEGATIVE_INFINITY;
  #firstBroken: string | undefined;

  constructor(seed: number) {
    this.timeline = new Timeline(seed);
    const { timeline } = this;
    const skewMs = timeline.between(0, 1e6);
    this.table = new MemoryLeaseTable(() => Math.floor(timeline.now + skewMs));
    this.parts = 2 + Math.floor(timeline.random() * 4);
    this.isSleepy = timeline.chance(0.5);
    this.#isWatchful = timeline.chance(0.5);
    this.digests = ["a", "b", "c", "d"].map((letter) => parseDigest(`sha256:${letter.repeat(64)}`));
    for (let count = 2 + Math.floor(timeline.random() * 3); count > 0; count--) this.start(`node-${count}`);
    if (timeline.chance(0.3)) this.start(TWIN);
  }

  /** Starts the node, or starts it again when its process has ended: the old one must be dead. */
  start(place: string): void {
    const { timeline } = this;
    const name = place === TWIN ? "node-1" : place;
    const rate = 0.995 + timeline.random() * 0.01;
    const process = new SimulatedProcess(timeline, { rate, skewMs: (timeline.random() - 0.5) * 1e7 });
    const wire = new SimulatedWire(name, process, timeline, this.weather);
    const fleet = new NodeFleet({
      node: name,
      address: name,
      zone: undefined,
      version: "0",
      clock: process,
      log: silentLog,
      rows: memoryLeaseRows(this.table, wire),
    });
    void fleet.start();
    this.nodes.set(place, new SimulatedFiller(fleet, process, this));
  }

  /** Somebody has found out which process has another one's name. */
  endTwin(): void {
    this.nodes.get(TWIN)?.process.kill();
    this.nodes.delete(TWIN);
  }

  loseDatabase(): void {
    this.table.empty();
    this.weather.life += 1;
    this.#lostAt = this.timeline.now;
  }

  /** As the bucket's janitor would: the row first; its object goes long after. */
  evict(): void {
    const row = this.timeline.any([...this.table.blobs.values()]);
    if (row === undefined) return;
    this.table.forget(row);
    this.#evictedAt = this.timeline.now;
    for (const node of this.nodes.values()) node.has.delete(row.digest);
  }

  readonly broken = (what: string): void => {
    this.#firstBroken ??= what;
  };

  readonly trouble = (): number => this.troubles;

  readonly askUpstream = (by: SimulatedFiller, lease: Lease): void => {
    this.counts.asked += 1;
    this.#mustBeHeld("G2: upstream is asked", by, lease);
  };

  readonly askUpstreamAlone = (by: SimulatedFiller): void => {
    this.counts.alone += 1;
    if (by.fleet.isAnswering) this.broken("G2: a node goes alone while the database answers");
  };

  readonly askPeer = ({ node, epoch }: Holder, key: string): void => {
    // Two of one name would have one address: either may be reached.
    const peer = this.timeline.any([...this.nodes.values()].filter(({ fleet }) => fleet.node === node));
    peer?.process.deliver(this.timeline.between(1, 500), () => this.#answer(peer, key, epoch));
  };

  readonly readStored = ({ objectKey, epoch }: StoredObject): boolean => {
    this.counts.stored += 1;
    if (this.#isWhole(objectKey)) return true;
    // Its own filler may have heard that it is not known, and deleted it, where an answer from before that is still on its way.
    if (this.timeline.now - Math.max(this.#lostAt, this.#evictedAt) > GRACE_MS)
      this.broken(`G5: the object of epoch ${epoch} is not there`);
    return false;
  };

  /** Throws with the sentence of the invariant that does not hold. */
  readonly check = (): void => {
    for (const { objectKey, epoch } of this.table.blobs.values())
      if (!this.#isWhole(objectKey)) this.broken(`G5: the row of epoch ${epoch} has no verified object`);
    if (this.#isWatchful) for (const node of this.nodes.values()) this.#checkHeld(node);
    if (this.#firstBroken !== undefined) throw new Error(this.#firstBroken);
  };

  /** What a process that runs takes for its own is its own. */
  #checkHeld(node: SimulatedFiller): void {
    if (!node.process.isRunning) return;
    for (const lease of node.filling.values())
      if (lease.isMine) this.#mustBeHeld("G1: a lease is held", node, lease);
  }

  #mustBeHeld(what: string, by: SimulatedFiller, lease: Lease): void {
    if (!by.process.isRunning) this.broken(`${what} by a process that does not run`);
    if (this.committing.has(lease) || this.timeline.now - this.#lostAt < AFTER_LOSS_MS) return;
    const holder = this.table.holder(lease.key);
    if (holder?.epoch === lease.epoch && holder.incarnation === by.fleet.incarnation) return;
    this.broken(`${what} by ${by.fleet.node} under epoch ${lease.epoch}, and ${holder?.epoch} has it`);
  }

  /** What a node's internal listener does. */
  #answer(peer: SimulatedFiller, key: string, epoch: Epoch): void {
    const lease = peer.filling.get(key);
    if (lease?.epoch !== epoch || !lease.isMine) {
      this.counts.refused += 1;
      return;
    }
    this.counts.served += 1;
    this.#mustBeHeld("G7: a peer answers", peer, lease);
  }

  #isWhole(objectKey: string): boolean {
    return this.bucket.objects.get(objectKey)?.size === this.parts;
  }
}
