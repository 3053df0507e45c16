/**
 * Owns one blob of one upstream as this node gets it in a fleet: where its bytes are now (place.ts), the lease while this node brings it, and what
 * goes to the bucket behind it. What was found holds until an error. It moves no bytes to clients, and never asks upstream itself.
 * It is long because a transfer is one state, and every way in which it changes is read together.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { FollowedFill } from "../../fill/fill-ask.ts";
import type { PartialKey } from "../../store/partial.ts";
import { untilAborted } from "../../waiting/abort.ts";
import { sleep } from "../../waiting/sleep.ts";
import { blobLease, type Lease, type Standing, type StoredObject } from "../fleet.ts";
import { HandOver } from "./hand-over.ts";
import { HolderReach } from "./holder-reach.ts";
import type { Place } from "./place.ts";
import { shareBlob } from "./share-blob.ts";
import { Sources } from "./sources.ts";
import type { TransferParts } from "./transfer-parts.ts";
import { UploadBehind } from "./upload-behind.ts";

/** How often a blob is asked for whose holder is gone, until somebody takes it over. */
const AGAIN_MS = 200;
/** How long a node goes on alone before it looks whether the fleet is back. */
const ALONE_MS = 5_000;
/** How often this node looks whether another one should bring the blob, and how long it then leaves it to the others before it takes it again. */
const HAND_OVER_LOOK_MS = 1_000;
const HANDED_OVER_MS = 5_000;
/** After so many failures in a row the bucket is not asked for this blob for a while. */
const BUCKET_TRIES = 2;
const BUCKET_REST_MS = 10_000;

export class Transfer {
  readonly key: PartialKey;
  readonly leaseKey: string;
  readonly #parts: TransferParts;
  #fill: FollowedFill | undefined;
  #place: Place | undefined;
  #looking: Promise<Place> | undefined;
  #upload: UploadBehind | undefined;
  #isOver = false;
  /** What comes from upstream while this node brings the blob, and who else waits for it. */
  readonly handOver: HandOver;
  /** Until then it is left to the others, of the clock's `elapsed`. */
  #handedOverUntil = 0;
  /** Of another node that brings it. */
  readonly reach: HolderReach;
  #bucketFailures = 0;
  #bucketRestsUntil = 0;
  /** An object of another size than the blob is said to have. */
  #odd: StoredObject | undefined;
  /** Bytes came from inside the fleet. */
  #hasOthersBytes = false;
  /** What came from inside the fleet was wrong. */
  #isDoubted = false;

  constructor(key: PartialKey, parts: TransferParts) {
    this.key = key;
    this.leaseKey = blobLease(key.upstream, key.digest);
    this.#parts = parts;
    this.handOver = new HandOver(parts.clock);
    this.reach = new HolderReach(key, this.leaseKey, parts);
  }

  /** The lease, while this node brings the blob. */
  get lease(): Lease | undefined {
    return this.#place?.is === "mine" && this.#place.lease.isMine ? this.#place.lease : undefined;
  }

  /** Nobody has said yet where the bytes are: that none come shows nothing of the line. */
  get isLooking(): boolean {
    return this.#looking !== undefined;
  }

  /** The fill that it belonged to has ended: another one needs another transfer. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get place(): Place | undefined {
    return this.#place;
  }

  // --- the fill of this node ---------------------------------------------------------------------------------------

  /** A fill of this node keeps its bytes: from now on it may bring them for all. */
  begun(fill: FollowedFill): void {
    const before = this.#upload;
    this.#upload = undefined;
    this.#fill = fill;
    // It starts over from nothing: what was uploaded was wrong.
    if (before !== undefined) void before.discard();
    const { lease } = this;
    if (lease !== undefined) this.#uploadBehind(lease);
  }

  grown(): void {
    this.#upload?.grown();
  }

  /** The store has the blob: what is missing in the bucket goes there. False when nobody sees to that. Never rejects. */
  async committed(): Promise<boolean> {
    this.#isOver = true;
    const { lease } = this;
    if (lease === undefined || this.#place?.is !== "mine")
      return this.#place?.is === "bucket" || this.#place?.is === "peer";
    try {
      return await this.#share(lease, (await this.#place.sources)?.leftovers);
    } catch (error) {
      // Whatever it was: the blob is here and right, and this process serves it.
      this.#failed(error);
      return false;
    } finally {
      await lease.release();
    }
  }

  /** The fill ended without the blob. What it has uploaded stays for whoever goes on, unless it was wrong. */
  async ended(isWrong: boolean): Promise<void> {
    this.#isOver = true;
    const { lease } = this;
    if (isWrong) await this.#upload?.discard();
    else await this.#upload?.stop();
    if (isWrong) await lease?.release();
    else await lease?.park();
  }

  // --- where the bytes are -----------------------------------------------------------------------------------------

  /** Where the bytes are; waits while nobody brings them and somebody is about to. Throws `aborted`, `closed`. */
  async whereabouts(signal: AbortSignal): Promise<Place> {
    if (this.#place !== undefined && this.#holds(this.#place)) return this.#place;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return await untilAborted(this.#looking, signal, "waiting for another node of the fleet");
  }

  /** What was found there did not serve, and had been silent for `silentMs` already: it is looked for again. */
  doubt(place: Place, silentMs = 0): void {
    if (this.#place === place) this.#place = undefined;
    if (place.is === "peer") this.reach.failed(place.holder, silentMs);
    if (place.is !== "bucket") return;
    this.#bucketFailures += 1;
    if (this.#bucketFailures >= BUCKET_TRIES) this.#bucketRestsUntil = this.#now + BUCKET_REST_MS;
  }

  /** Whether to wait for the node that brings it, and says nothing: if not, it is doubted. Throws as HolderReach. */
  async isWorthWaiting(place: Extract<Place, { is: "peer" }>): Promise<boolean> {
    const isWorthIt = await this.reach.isWorthWaiting(place.holder);
    if (!isWorthIt) this.doubt(place);
    return isWorthIt;
  }

  /** Bytes that the blob is said to have; undefined where nobody says it, or no fill keeps it. */
  get size(): number | undefined {
    return this.#fill?.size;
  }

  /** The object has another size than the blob is said to have. Which of the two is right shows when a digest is verified: until then it stays. */
  contradicted({ object }: Extract<Place, { is: "bucket" }>): void {
    this.#odd = object;
    this.#bucketRestsUntil = Number.POSITIVE_INFINITY;
    if (this.#place?.is === "bucket") this.#place = undefined;
  }

  /** The object is not where its row says. Never rejects: a row that stays is found again. */
  async forget(place: Extract<Place, { is: "bucket" }>): Promise<void> {
    if (this.#place === place) this.#place = undefined;
    try {
      await this.#parts.fleet.forget(place.object);
    } catch (error) {
      this.doubt(place);
      this.#failed(error);
    }
  }

  /** Bytes came from there. */
  served(place: Place): void {
    if (place.is === "bucket") this.#bucketFailures = 0;
    if (place.is === "peer") this.reach.answered();
    if (place.is === "bucket" || place.is === "peer") this.#hasOthersBytes = true;
  }

  /** The bytes were wrong. True when some came from inside the fleet: from now on all come from upstream. */
  blame(): boolean {
    if (!this.#hasOthersBytes || this.#isDoubted) return false;
    this.#isDoubted = true;
    const place = this.#place;
    if (place?.is === "bucket") void this.forget(place);
    this.#place = place?.is === "mine" ? { ...place, sources: undefined } : undefined;
    return true;
  }

  /** Bytes came from what a predecessor or another node had. */
  servedBySources(): void {
    this.handOver.came();
    this.#hasOthersBytes = true;
  }

  #holds(place: Place): boolean {
    if (place.is === "mine") return place.lease.isMine;
    return place.is !== "alone" || this.#now < place.until;
  }

  async #look(): Promise<Place> {
    for (;;) {
      const found = await this.#ask().catch((error: unknown) => this.#unanswered(error));
      if (found !== undefined) {
        this.#place = found;
        return found;
      }
      await sleep(AGAIN_MS, this.#parts.clock);
    }
  }

  /** undefined: to be asked again in a moment. */
  async #ask(): Promise<Place | undefined> {
    const { fleet } = this.#parts;
    const standing = await fleet.resolve(this.key.digest, this.leaseKey);
    const elsewhere = this.#elsewhere(standing);
    if (elsewhere !== undefined) return elsewhere;
    // What nobody keeps here cannot be read by others: it only passes through.
    if (this.#fill === undefined || this.#isOver) return this.#alone("no-room");
    if (standing.is === "held" || this.#now < this.#handedOverUntil) return undefined;
    const lease = await fleet.acquire(this.leaseKey);
    if (lease === undefined) return undefined;
    // It may have been committed between the two questions.
    const again = this.#elsewhere(await fleet.resolve(this.key.digest, this.leaseKey));
    if (again?.is === "bucket") {
      await lease.release();
      return again;
    }
    return this.#mine(lease, this.#fill);
  }

  #elsewhere(standing: Standing): Place | undefined {
    if (standing.is === "stored" && !this.#isDoubted && this.#now >= this.#bucketRestsUntil)
      return { is: "bucket", object: standing.object };
    if (standing.is !== "held" || standing.holder.isMe) return undefined;
    const isGivenUp = this.reach.isUnreachable(standing.holder) || this.#isDoubted;
    return isGivenUp ? this.#alone("holder") : { is: "peer", holder: standing.holder };
  }

  #mine(lease: Lease, fill: FollowedFill): Place {
    const { size } = fill;
    const isTakenOver = lease.left !== undefined || this.#now < this.#bucketRestsUntil;
    const isOfUse = isTakenOver && size !== undefined && !this.#isDoubted;
    const sources = isOfUse ? Sources.find(this.key, size, lease.left, this.#parts) : undefined;
    if (this.#isOver) void lease.park();
    else this.#uploadBehind(lease);
    void this.#watch(lease);
    return { is: "mine", lease, sources };
  }

  #alone(why: Extract<Place, { is: "alone" }>["why"]): Place {
    this.#parts.metrics.fleetAlone.inc({ why });
    return { is: "alone", until: this.#now + ALONE_MS, why };
  }

  #unanswered(error: unknown): Place {
    if (!isGranaryError(error, "fleet-unavailable")) throw error;
    this.#parts.log.debug({ digest: this.key.digest, reason: messageOf(error) }, "fetched without the fleet");
    return this.#alone("database");
  }

  // --- what does not come from upstream ----------------------------------------------------------------------------

  /** Until the lease ends. Never rejects. */
  async #watch(lease: Lease): Promise<void> {
    this.handOver.begun();
    while (lease.isMine) {
      if (this.handOver.isDue()) return await this.#leave(lease);
      await sleep(HAND_OVER_LOOK_MS, this.#parts.clock, lease.lost);
    }
  }

  /** What is uploaded stays for whoever takes it over; what is here can be read by that node. */
  async #leave(lease: Lease): Promise<void> {
    const { upstream, digest } = this.key;
    this.#handedOverUntil = this.#now + HANDED_OVER_MS;
    const text = `nothing comes from ${upstream} to this node: another node of the fleet may bring what both want`;
    this.#parts.episodes.trouble(`upstream ${upstream} from here`, { digest }, text);
    await lease.park();
  }

  // --- into the bucket ---------------------------------------------------------------------------------------------

  #uploadBehind(lease: Lease): void {
    const fill = this.#fill;
    if (fill?.size === undefined) return;
    this.#upload = new UploadBehind({ ...fill, size: fill.size }, lease, this.#parts);
    this.#upload.grown();
  }

  /** The digest of ours is right, so an object of another size is not this blob: a predecessor's parts, by way of a database that was rebuilt. */
  async #removeOdd(size: number): Promise<void> {
    if (this.#odd === undefined || this.#odd.size === size) return;
    await this.#parts.fleet.forget(this.#odd);
    await this.#parts.bucket.remove([this.#odd.objectKey]);
  }

  async #share(lease: Lease, leftovers: readonly string[] = []): Promise<boolean> {
    const stored = await this.#parts.blobs.open(this.key.digest);
    if (stored === undefined) return false;
    const before = () => this.#removeOdd(stored.size);
    const shared = { stored, lease, upload: this.#upload, leftovers, before };
    return await shareBlob(shared, this.#parts).finally(() => stored.close());
  }

  #failed(error: unknown): void {
    const facts = { digest: this.key.digest, reason: messageOf(error) };
    this.#parts.episodes.trouble(
      "sharing",
      facts,
      "a blob could not be shared with the fleet: it is tried again",
    );
  }

  get #now(): number {
    return this.#parts.clock.elapsed();
  }
}
