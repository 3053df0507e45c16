/**
 * Owns evictions: damaged files first, then blobs and partials, least recently used first. Nothing that is being read or filled is ever
 * evicted (F12), nor what a keep rule stands for, and one that cannot be removed does not stop the others. How many bytes have to be freed is decided in space.ts.
 */
import { formatBytes } from "../../bytes/units.ts";
import { messageOf } from "../../errors.ts";
import type { BlobRecord, Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { Log } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { Digest } from "../../oci/digest.ts";
import type { EventTeller } from "../../records/events.ts";
import type { BlobStore, DamagedFile } from "../../store/blob-store.ts";
import type { SavedPartial, Spool } from "../../store/partial.ts";
import { type Candidate, coldest } from "./coldest.ts";
import type { Ledger } from "./ledger.ts";
import type { Pins } from "./pins.ts";
import type { Uses } from "./uses.ts";

export type JanitorParts = {
  readonly metadata: Metadata;
  /** Whether a person wants this blob kept, whatever else must go. */
  readonly isKept: (digest: Digest) => Promise<boolean>;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly pins: Pins;
  readonly uses: Uses;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Hears of evictions that failed. */
  readonly episodes: Episodes;
  /** Hears of each round of evictions. */
  readonly events?: EventTeller;
};

export type Victim = Candidate | { readonly kind: "damaged"; readonly name: string; readonly size: number };
type IdleVictim = Extract<Victim, { kind: "partial" }>;

/** Blobs that are evicted together: their rows in one transaction, which takes a few milliseconds, then their files. */
const BATCH = 128;

export class Janitor {
  readonly #parts: JanitorParts;
  /** Of the round that runs. */
  #evictions = 0;
  #kept = 0;

  constructor(parts: JanitorParts) {
    this.#parts = parts;
  }

  /** Things that went in the last round. */
  get evictions(): number {
    return this.#evictions;
  }

  /** Bytes that the last round passed over because somebody wants them kept. */
  get kept(): number {
    return this.#kept;
  }

  /**
   * Evicts until `bytes` are freed, or nothing is left that may be evicted; returns how many were freed. With `isAllOrNothing` nothing is
   * evicted where everything that may be would not be enough. Throws what Metadata throws when it cannot be read.
   */
  async free(bytes: number, damaged: readonly DamagedFile[], isAllOrNothing: boolean): Promise<number> {
    await this.#parts.uses.flush();
    this.#evictions = 0;
    const freed = await this.#free(bytes, damaged, isAllOrNothing);
    const count = this.#evictions;
    if (count === 0) return freed;
    const text = `${count === 1 ? "one blob" : `${count} blobs`} used longest ago (${formatBytes(freed)}) made room`;
    this.#parts.events?.tell("evicted", text, { blobs: count, bytes: freed });
    return freed;
  }

  async #free(bytes: number, damaged: readonly DamagedFile[], isAllOrNothing: boolean): Promise<number> {
    /** Those that could not be evicted are not tried twice. */
    const stubborn = new Set<string>();
    for (let freed = 0; ; ) {
      const victims = await this.#victimsFor(bytes - freed, damaged, stubborn);
      const canFree = victims.reduce((sum, { size }) => sum + size, 0);
      if (victims.length === 0 || (isAllOrNothing && freed + canFree < bytes)) return freed;
      freed += await this.#evictAll(victims, stubborn);
      if (freed >= bytes) return freed;
    }
  }

  /** What `free` would evict for `bytes`, in its order. Nothing is changed. */
  async next(bytes: number, damaged: readonly DamagedFile[]): Promise<Victim[]> {
    await this.#parts.uses.flush();
    return await this.#victimsFor(bytes, damaged, new Set());
  }

  /** Removes these, whatever their age. Those that somebody reads or fills stay; returns those that are gone. */
  async remove(candidates: readonly Candidate[]): Promise<readonly Candidate[]> {
    const gone: Candidate[] = [];
    for (let at = 0; at < candidates.length; at += BATCH) {
      const batch = candidates.slice(at, at + BATCH);
      gone.push(...(await this.#evictBlobs(batch.filter((candidate) => candidate.kind === "blob"))));
      for (const partial of batch)
        if (partial.kind === "partial" && (await this.#evictPartial(partial))) gone.push(partial);
    }
    return gone;
  }

  /** Deletes a partial that nobody has. True when it is gone; a failure is logged. */
  async removePartial(partial: Pick<SavedPartial, "digest" | "upstream">): Promise<boolean> {
    try {
      await this.#parts.spool.remove(partial);
      this.#parts.ledger.removed(partial);
      return true;
    } catch (error) {
      this.#failed(partial.digest, "partial", error);
      return false;
    }
  }

  async #victimsFor(
    bytes: number,
    damaged: readonly DamagedFile[],
    stubborn: ReadonlySet<string>,
  ): Promise<Victim[]> {
    const { metadata, ledger, pins, clock, isKept } = this.#parts;
    const victims: Victim[] = [];
    let lacking = bytes;
    this.#kept = 0;
    const take = (victim: Victim) => {
      victims.push(victim);
      lacking -= victim.size;
    };
    for (const { name, size, isFile } of damaged) {
      const victim = { kind: "damaged", name, size } as const;
      if (isFile && lacking > 0 && !stubborn.has(keyOf(victim))) take(victim);
    }
    if (lacking <= 0) return victims;
    for await (const candidate of coldest(metadata, ledger.idle(), clock.now())) {
      if (pins.has(candidate.digest) || stubborn.has(keyOf(candidate))) continue;
      if (await isKept(candidate.digest)) {
        this.#kept += candidate.size;
        continue;
      }
      take(candidate);
      if (lacking <= 0) break;
    }
    return victims;
  }

  /** In order; blobs that follow each other are evicted together. Returns the bytes that were freed. */
  async #evictAll(victims: readonly Victim[], stubborn: Set<string>): Promise<number> {
    let freed = Promise.resolve(0);
    for (let at = 0; at < victims.length; ) {
      const batch = batchAt(victims, at);
      at += batch.length;
      const before = freed;
      // The rows of a batch are deleted while the files of the batch before it are.
      freed = sumOf(before, this.#evict(batch, stubborn));
      freed.catch(() => undefined); // Awaited below, by itself or as part of a later sum.
      await before;
    }
    return await freed;
  }

  /** Victims of one kind. Returns the bytes that were freed. */
  async #evict(batch: readonly Victim[], stubborn: Set<string>): Promise<number> {
    const blobs = batch.filter((victim) => victim.kind === "blob");
    const gone = new Set<Victim>(blobs.length > 0 ? await this.#evictBlobs(blobs) : []);
    for (const victim of batch) if (await this.#evictOther(victim)) gone.add(victim);
    let freed = 0;
    for (const victim of batch) {
      // Perhaps somebody has begun to read it: then it is not cold any more.
      if (!gone.has(victim)) stubborn.add(keyOf(victim));
      else freed += this.#evicted(victim);
    }
    return freed;
  }

  async #evictOther(victim: Victim): Promise<boolean> {
    if (victim.kind === "damaged") return await this.#removeDamaged(victim.name);
    return victim.kind === "partial" && (await this.#evictPartial(victim));
  }

  async #removeDamaged(name: string): Promise<boolean> {
    try {
      await this.#parts.blobs.removeDamaged(name);
      return true;
    } catch (error) {
      this.#failed(name, "damaged", error);
      return false;
    }
  }

  async #evictPartial(partial: IdleVictim): Promise<boolean> {
    const { pins, ledger } = this.#parts;
    if (pins.has(partial.digest) || !ledger.isIdle(partial)) return false;
    return await this.removePartial(partial);
  }

  /**
   * Rows first: a crash in between leaves files without rows, which the next start registers again, and never rows without files. A blob
   * that somebody reads by then, or that cannot be removed, gets its row back.
   */
  async #evictBlobs<B extends BlobRecord>(victims: readonly B[]): Promise<B[]> {
    const { metadata, pins } = this.#parts;
    const cold = victims.filter(({ digest }) => !pins.has(digest));
    const digests = cold.map(({ digest }) => digest);
    const over = pins.leave(digests);
    try {
      await metadata.forgetBlobs(digests);
      const removing = cold.map(async (victim) => {
        const isGone = await this.#removeFile(victim);
        if (!isGone) await metadata.recordBlob(recordOf(victim));
        return isGone;
      });
      const areGone = await Promise.all(removing);
      return cold.filter((_, index) => areGone[index] === true);
    } finally {
      over();
    }
  }

  async #removeFile({ digest }: BlobRecord): Promise<boolean> {
    const { pins, blobs } = this.#parts;
    if (pins.has(digest)) return false;
    pins.giveWay(digest);
    try {
      // From here a new reader either has the file open already, which keeps its bytes, or finds the blob absent.
      await blobs.remove(digest);
      return true;
    } catch (error) {
      this.#failed(digest, "blob", error);
      return false;
    }
  }

  /** Returns its bytes. */
  #evicted(victim: Victim): number {
    const { metrics, log, clock } = this.#parts;
    const { kind, size } = victim;
    metrics.evictions.inc({ kind });
    if (victim.kind === "blob") metrics.evictedIdle.observe(Math.max(0, clock.now() - victim.usedAt) / 1_000);
    this.#evictions += 1;
    log.info({ digest: nameOf(victim), kind, size: formatBytes(size) }, "evicted");
    return size;
  }

  #failed(digest: string, kind: string, error: unknown): void {
    const facts = { digest, kind, reason: messageOf(error) };
    this.#parts.episodes.trouble("eviction", facts, "an eviction failed");
  }
}

/** The victims of one kind from `at` on, as many as go together. */
function batchAt(victims: readonly Victim[], at: number): Victim[] {
  const kind = victims[at]?.kind;
  const other = victims.findIndex((victim, index) => index > at && victim.kind !== kind);
  return victims.slice(at, Math.min(at + BATCH, other === -1 ? victims.length : other));
}

async function sumOf(one: Promise<number>, other: Promise<number>): Promise<number> {
  const [a, b] = await Promise.all([one, other]);
  return a + b;
}

function nameOf(victim: Victim): string {
  return victim.kind === "damaged" ? victim.name : victim.digest;
}

function keyOf(victim: Victim): string {
  return `${victim.kind} ${nameOf(victim)}`;
}

function recordOf({ digest, size, usedAt, verifiedAt }: BlobRecord): BlobRecord {
  return { digest, size, usedAt, ...(verifiedAt !== undefined && { verifiedAt }) };
}
