/** Owns BucketRows in memory, for unit tests and simulations: what the database of a fleet would say, by the clock of the test. */
import type { StoredObject } from "../../src/fleet/fleet.ts";
import type { BucketRows } from "../../src/fleet/upkeep/bucket-rows.ts";
import type { Clock } from "../../src/observe/clock.ts";
import type { Digest } from "../../src/oci/digest.ts";

type Row = { readonly object: StoredObject; usedAt: number; doomedAt: number | undefined };

export class MemoryBucketRows implements BucketRows {
  /** Keys that living holders have noted for their uploads. */
  readonly noted = new Set<string>();
  /** Epochs that are given from now on are larger. */
  lastEpoch = 0;
  /** What the database calls itself. */
  database = "first";
  readonly #clock: Clock;
  readonly #rows = new Map<Digest, Row>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get objects(): readonly StoredObject[] {
    return [...this.#rows.values()].map(({ object }) => object);
  }

  get doomed(): readonly Digest[] {
    return [...this.#rows.values()]
      .filter(({ doomedAt }) => doomedAt !== undefined)
      .map(({ object }) => object.digest);
  }

  async bytes(): Promise<number> {
    return this.#kept().reduce((sum, { object }) => sum + object.size, 0);
  }

  async coldest(limit: number): Promise<readonly StoredObject[]> {
    const byUse = this.#kept().sort((a, b) => a.usedAt - b.usedAt);
    return byUse.slice(0, limit).map(({ object }) => object);
  }

  async doom(objects: readonly StoredObject[]): Promise<void> {
    for (const { digest, epoch } of objects) {
      const row = this.#rows.get(digest);
      if (row?.object.epoch === epoch) row.doomedAt ??= this.#clock.now();
    }
  }

  /** No repository is known here. */
  async doomUnneeded(digests: readonly Digest[]): Promise<void> {
    await this.doom(this.objects.filter(({ digest }) => digests.includes(digest)));
  }

  async missing(digests: readonly Digest[]): Promise<readonly Digest[]> {
    return digests.filter((digest) => !this.#rows.has(digest));
  }

  async touch(digests: readonly Digest[]): Promise<void> {
    await this.revive(digests);
  }

  async identity(): Promise<string> {
    return this.database;
  }

  async revive(digests: readonly Digest[]): Promise<void> {
    for (const digest of digests) {
      const row = this.#rows.get(digest);
      if (row !== undefined) Object.assign(row, { usedAt: this.#clock.now(), doomedAt: undefined });
    }
  }

  async takeDoomed(graceMs: number, limit: number): Promise<readonly StoredObject[]> {
    const since = this.#clock.now() - graceMs;
    const due = [...this.#rows.values()].filter(
      ({ doomedAt }) => doomedAt !== undefined && doomedAt <= since,
    );
    const taken = due.slice(0, limit).map(({ object }) => object);
    for (const { digest } of taken) this.#rows.delete(digest);
    return taken;
  }

  async known(keys: readonly string[]): Promise<ReadonlySet<string>> {
    const ours = new Set([...this.objects.map(({ objectKey }) => objectKey), ...this.noted]);
    return new Set(keys.filter((key) => ours.has(key)));
  }

  async restore(objects: readonly StoredObject[]): Promise<number> {
    const missing = objects.filter(({ digest }) => !this.#rows.has(digest));
    for (const object of missing)
      this.#rows.set(object.digest, { object, usedAt: this.#clock.now(), doomedAt: undefined });
    return missing.length;
  }

  async raiseEpochs(last: number): Promise<void> {
    this.lastEpoch = Math.max(this.lastEpoch, last);
  }

  #kept(): Row[] {
    return [...this.#rows.values()].filter(({ doomedAt }) => doomedAt === undefined);
  }
}
