/**
 * Owns the disk budget: what has to go so that something new fits, and at boot the agreement of disk and Metadata. It
 * removes the coldest unpinned first, partials included; nothing that is being read or filled is ever removed (F12).
 */
import { formatBytes } from "../bytes/units.ts";
import { messageOf } from "../errors.ts";
import type { Fills } from "../fill/fills.ts";
import type { Metadata } from "../metadata/metadata.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Digest } from "../oci/digest.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { Spool } from "../store/partial.ts";
import type { Pins } from "./pins.ts";
import type { Uses } from "./uses.ts";

export type Budget = {
  /** Bytes that blobs and partials may hold together. */
  readonly maxSize: number;
  /** Bytes of the disk that stay free, whatever the budget says. */
  readonly minFree: number;
};

export type JanitorParts = {
  readonly budget: Budget;
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly pins: Pins;
  readonly uses: Uses;
  readonly fills: () => Fills;
  readonly log: Log;
  readonly metrics: Metrics;
};

type Victim = {
  readonly kind: "blob" | "partial";
  readonly digest: Digest;
  readonly size: number;
  readonly usedAt: number;
};

export type DiskUse = { readonly used: number; readonly budget: number; readonly free: number };

const BATCH = 64;

export class Janitor {
  readonly #parts: JanitorParts;
  /** Makes one room at a time: two at once would count the same bytes as free twice. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(parts: JanitorParts) {
    this.#parts = parts;
  }

  /** Frees what `bytes` more need, evicting the coldest; false when even that does not make room. Never throws. */
  makeRoom(bytes: number): Promise<boolean> {
    const turn = this.#queue.then(() => this.#makeRoom(bytes));
    this.#queue = turn.catch(() => false);
    return turn.catch((error: unknown) => {
      this.#parts.log.error({ reason: messageOf(error) }, "making room failed");
      return false;
    });
  }

  /** Brings what is held back within the budget, and the gauges up to date. Runs in the background: logs, never throws. */
  async sweep(): Promise<void> {
    try {
      await this.makeRoom(0);
      const { used, budget, free } = await this.use();
      const { diskUsed, diskBudget, diskFree } = this.#parts.metrics;
      diskUsed.set(used);
      diskBudget.set(budget);
      diskFree.set(free);
    } catch (error) {
      this.#parts.log.error({ reason: messageOf(error) }, "a sweep failed");
    }
  }

  async use(): Promise<DiskUse> {
    const { metadata, spool, blobs, budget } = this.#parts;
    const [totals, saved, disk] = await Promise.all([metadata.totals(), spool.list(), blobs.disk()]);
    const filling = this.#parts
      .fills()
      .status()
      .reduce((sum, fill) => sum + fill.present, 0);
    const partials = saved.reduce((sum, partial) => sum + partial.present, 0);
    return { used: totals.bytes + partials + filling, budget: budget.maxSize, free: disk.free };
  }

  /**
   * At boot: rows for blobs that have none (a lost database, a crash between rename and row), no rows for blobs that are
   * gone, and neither for a blob whose size is not what its row says.
   */
  async reconcile(): Promise<void> {
    const { metadata, blobs, log } = this.#parts;
    const rows = new Map((await metadata.allBlobs()).map((row) => [row.digest, row]));
    let registered = 0;
    for await (const { digest, size, changedAt } of blobs.list()) {
      const row = rows.get(digest);
      rows.delete(digest);
      if (row === undefined) {
        await metadata.recordBlob({ digest, size, usedAt: changedAt });
        registered += 1;
      } else if (row.size !== size) {
        await this.dropDamaged(digest, `it has ${size} bytes and should have ${row.size}`);
      }
    }
    for (const digest of rows.keys()) await metadata.forgetBlob(digest);
    if (registered > 0 || rows.size > 0)
      log.info({ registered, forgotten: rows.size }, "disk and metadata reconciled");
  }

  /** A blob whose file cannot be trusted: gone, so that the next ask fetches it anew. */
  async dropDamaged(digest: Digest, reason: string): Promise<void> {
    this.#parts.log.error({ digest, reason }, "a stored blob is damaged: removed, it will be fetched again");
    await this.#parts.metadata.forgetBlob(digest);
    await this.#parts.blobs.remove(digest);
  }

  async #makeRoom(bytes: number): Promise<boolean> {
    let lacking = await this.#lacking(bytes);
    if (lacking <= 0) return true;
    if (bytes > this.#parts.budget.maxSize) return false;
    await this.#parts.uses.flush();
    for await (const victim of this.#coldest()) {
      if (lacking <= 0) break;
      if (await this.#evict(victim)) lacking -= victim.size;
    }
    return (await this.#lacking(bytes)) <= 0;
  }

  /** Bytes too many if `bytes` more came, counting what running fills have still to write. */
  async #lacking(bytes: number): Promise<number> {
    const { budget, fills } = this.#parts;
    const { used, free } = await this.use();
    const coming = fills()
      .status()
      .reduce((sum, fill) => sum + fill.size - fill.present, bytes);
    return Math.max(used + coming - budget.maxSize, coming + budget.minFree - free);
  }

  /** Blobs and partials, least recently used first. */
  async *#coldest(): AsyncGenerator<Victim> {
    const saved = await this.#parts.spool.list();
    const partials = saved
      .map(
        ({ digest, present, changedAt }): Victim => ({
          kind: "partial",
          digest,
          size: present,
          usedAt: changedAt,
        }),
      )
      .sort((a, b) => a.usedAt - b.usedAt);
    for await (const blob of this.#coldestBlobs()) {
      for (let first = partials[0]; first !== undefined && first.usedAt <= blob.usedAt; first = partials[0]) {
        partials.shift();
        yield first;
      }
      yield blob;
    }
    yield* partials;
  }

  /** `skip` counts the ones that stayed: those that were evicted are not in the next batch. */
  async *#coldestBlobs(): AsyncGenerator<Victim> {
    const { metadata } = this.#parts;
    for (let skip = 0; ; ) {
      const batch = await metadata.coldestBlobs(BATCH, skip);
      for (const { digest, size, usedAt } of batch) {
        yield { kind: "blob", digest, size, usedAt };
        if ((await metadata.blob(digest)) !== undefined) skip += 1;
      }
      if (batch.length < BATCH) return;
    }
  }

  async #evict(victim: Victim): Promise<boolean> {
    const { pins, fills, metrics, log } = this.#parts;
    if (pins.has(victim.digest) || fills().find(victim.digest) !== undefined) return false;
    const isGone = victim.kind === "blob" ? await this.#evictBlob(victim) : await this.#evictPartial(victim);
    if (!isGone) return false;
    metrics.evictions.inc({ kind: victim.kind });
    log.info({ digest: victim.digest, kind: victim.kind, size: formatBytes(victim.size) }, "evicted");
    return true;
  }

  /** Row first, so that a crash leaves an orphan file and never a row that lies. */
  async #evictBlob({ digest, size, usedAt }: Victim): Promise<boolean> {
    const { metadata, blobs, pins } = this.#parts;
    await metadata.forgetBlob(digest);
    if (pins.has(digest)) {
      await metadata.recordBlob({ digest, size, usedAt });
      return false;
    }
    // From here a new reader either has the file open already, which keeps its bytes, or finds the blob absent.
    await blobs.remove(digest);
    return true;
  }

  async #evictPartial({ digest }: Victim): Promise<boolean> {
    const removing = this.#parts.spool.remove(digest);
    this.#parts.fills().holdBack(digest, removing);
    await removing;
    return true;
  }
}
