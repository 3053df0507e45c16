/**
 * Owns what a node does with its leases in the simulation: it follows whoever holds a blob, or brings the blob itself, guarded as the real code
 * must guard it. What it does to the outside goes through `World`, which knows the truth.
 */
import { isGranaryError } from "../../../src/errors.ts";
import { blobLease, type Holder, type Lease, type StoredObject } from "../../../src/fleet/fleet.ts";
import type { NodeFleet } from "../../../src/fleet/leases/node-fleet.ts";
import type { Digest } from "../../../src/oci/digest.ts";
import type { SimulatedBucket } from "./simulated-bucket.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { Timeline } from "./timeline.ts";

/** The outside, which asserts what must hold. */
export type Outside = {
  readonly timeline: Timeline;
  readonly bucket: SimulatedBucket;
  readonly parts: number;
  /** Of what is fetched: how often something goes wrong, so that the lease is given back. */
  readonly trouble: () => number;
  /** Of these leases nobody but the database knows whether they are over: nothing but what is whole is given out under them. */
  readonly committing: Set<Lease>;
  /** Something does not hold. */
  broken(what: string): void;
  askUpstream(by: SimulatedFiller, lease: Lease): void;
  askUpstreamAlone(by: SimulatedFiller): void;
  /** Whether the holder says that it has this epoch. */
  askPeer(holder: Holder, key: string): void;
  /** The bytes of a row were to be read. */
  readStored(object: StoredObject): boolean;
};

const AGAIN_MS = 250;

export class SimulatedFiller {
  readonly fleet: NodeFleet;
  readonly process: SimulatedProcess;
  readonly #outside: Outside;
  /** What this node has got from the fleet, or alone. */
  readonly has = new Set<Digest>();
  readonly #wanted = new Set<Digest>();
  /** By lease key. */
  readonly filling = new Map<string, Lease>();

  constructor(fleet: NodeFleet, process: SimulatedProcess, outside: Outside) {
    this.fleet = fleet;
    this.process = process;
    this.#outside = outside;
  }

  get isContent(): boolean {
    return this.#wanted.size === 0;
  }

  want(digest: Digest): void {
    if (this.#wanted.has(digest) || this.has.has(digest)) return;
    this.#wanted.add(digest);
    this.#bring(digest)
      .catch((error: unknown) => this.#outside.broken(`unexpectedly: ${String(error)}`))
      .finally(() => this.#wanted.delete(digest));
  }

  async #bring(digest: Digest): Promise<void> {
    while (!this.has.has(digest)) {
      const isDone = await this.#step(digest).catch((error: unknown) => this.#goAlone(error));
      if (isDone) this.has.add(digest);
      else await this.#pause(AGAIN_MS);
    }
  }

  async #step(digest: Digest): Promise<boolean> {
    const key = blobLease("hub", digest);
    const standing = await this.fleet.resolve(digest, key);
    if (standing.is === "stored") {
      if (this.#outside.readStored(standing.object)) return true;
      await this.fleet.forget(standing.object);
      return false;
    }
    if (standing.is === "held") {
      if (!standing.holder.isMe) this.#outside.askPeer(standing.holder, key);
      return false;
    }
    const lease = await this.fleet.acquire(key);
    if (lease === undefined) return false;
    await this.#fill(digest, lease).finally(() => lease.release());
    return false;
  }

  async #goAlone(error: unknown): Promise<boolean> {
    if (!isGranaryError(error, "fleet-unavailable", "closed")) throw error;
    if (this.fleet.isAnswering || this.#outside.timeline.chance(0.5)) return false;
    this.#outside.askUpstreamAlone(this);
    return true;
  }

  async #fill(digest: Digest, lease: Lease): Promise<void> {
    this.filling.set(lease.key, lease);
    try {
      const again = await this.fleet.resolve(digest, lease.key);
      if (again.is === "stored") return;
      await this.#fillUnder(digest, lease);
    } finally {
      if (this.filling.get(lease.key) === lease) this.filling.delete(lease.key);
    }
  }

  /** G13: wherever the lease turns out to be lost, it stops. */
  async #fillUnder(digest: Digest, lease: Lease): Promise<void> {
    const { bucket, parts, timeline, trouble } = this.#outside;
    const salvaged = await this.#salvage(lease);
    const objectKey = `blobs/${digest}/${lease.epoch}`;
    if (!lease.isMine) return;
    const uploadId = bucket.begin(objectKey, lease);
    await this.#pause(timeline.between(1, 20));
    await lease.noteUpload({ objectKey, uploadId });
    for (let part = 1; part <= parts; part++) {
      if (!lease.isMine || timeline.chance(trouble())) return;
      if (!salvaged.has(part)) this.#outside.askUpstream(this, lease);
      await this.#pause(timeline.between(20, timeline.chance(0.1) ? 4_000 : 400));
      if (!lease.isMine) return;
      if (!(await this.#far(() => bucket.putPart(uploadId, part)))) return;
    }
    if (!lease.isMine || !(await this.#far(() => bucket.complete(uploadId)))) return;
    await this.#commit(digest, lease, objectKey);
  }

  async #salvage(lease: Lease): Promise<ReadonlySet<number>> {
    const { bucket } = this.#outside;
    const { uploadId, objectKey = "" } = lease.left?.upload ?? {};
    if (uploadId === undefined) return new Set();
    await this.#far(() => bucket.complete(uploadId));
    return bucket.objects.get(objectKey) ?? new Set();
  }

  async #commit(digest: Digest, lease: Lease, objectKey: string): Promise<void> {
    const { bucket, parts, committing } = this.#outside;
    committing.add(lease);
    for (let tries = 0; tries < 4; tries++) {
      const isKnown = await lease.commit({ digest, size: parts, objectKey }).catch(() => undefined);
      if (isKnown === false) bucket.remove(objectKey);
      if (isKnown !== undefined) return;
      await this.#pause(AGAIN_MS);
    }
  }

  /** A request that the bucket gets some time later, whatever becomes of this process, and that it answers later still. */
  #far<T>(request: () => T): Promise<T> {
    const { timeline } = this.#outside;
    return new Promise((resolve) => {
      timeline.at(timeline.between(1, 200), () => {
        const answer = request();
        this.process.deliver(timeline.between(1, 50), () => resolve(answer));
      });
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.process.after(ms, resolve));
  }
}
