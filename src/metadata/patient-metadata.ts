/**
 * Owns a Metadata that goes on while the disk fails: what cannot be written waits in bounded memory until the database can be written again,
 * and what cannot be read counts as unknown. Unknown never permits anything: without a link, or without knowing that a repository is public,
 * the upstream is asked. It must never fail a client because of the database, and never return an older row than the last one it was given.
 */
import { isGranaryError, messageOf } from "../errors.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Episodes } from "../observe/episodes.ts";
import type { Trouble } from "../observe/troubles.ts";
import { DATABASE_RETRIES } from "../waiting/retry-numbers.ts";
import { isRowsOwnFault } from "./database-error.ts";
import { changedLink } from "./link-change.ts";
import type { Link, Metadata } from "./metadata.ts";
import type { Sums } from "./sums.ts";
import {
  type Change,
  linkKey,
  listKey,
  repositoryKey,
  tagKey,
  Unwritten,
  type Waiting,
} from "./unwritten.ts";
import { UnwrittenPages } from "./unwritten-pages.ts";

export type PatientOptions = {
  readonly clock: Clock;
  /** Hears of `metadata-writes` and `metadata-reads`, and when they are over. */
  readonly troubles: Episodes<Trouble>;
};

export type PatientMetadata = Metadata & {
  /** Rows that could not be written yet. */
  readonly unwritten: number;
  /** Tries to write what waits, now. */
  flush(): Promise<void>;
  /** `listener` is called again and again while rows wait because the disk is full, so that somebody makes room. */
  onFull(listener: () => void): void;
};

const WRITES = "metadata-writes";
const READS = "metadata-reads";
const ROW = "metadata-row";

export function patientMetadata(real: Metadata, options: PatientOptions): PatientMetadata {
  return new Patient(real, options);
}

class Patient implements PatientMetadata {
  readonly #real: Metadata;
  readonly #options: PatientOptions;
  readonly #waiting = new Unwritten();
  readonly #pages = new UnwrittenPages(this.#waiting);
  #whenFull: () => void = () => undefined;
  #retry: Timer | undefined;
  #flushing: Promise<void> | undefined;
  #unreadableAt: number | undefined;
  /** The sums that could be read last. */
  #written: Sums = { blobs: 0, bytes: 0, manifests: 0 };
  #lastSize = 0;
  #isClosed = false;

  constructor(real: Metadata, options: PatientOptions) {
    this.#real = real;
    this.#options = options;
  }

  get unwritten(): number {
    return this.#waiting.count;
  }

  onFull(listener: () => void): void {
    this.#whenFull = listener;
  }

  // --- what is written -------------------------------------------------------------------------------------------

  recordBlob: Metadata["recordBlob"] = (blob) => this.#write(this.#waiting.blob(blob));

  forgetBlobs: Metadata["forgetBlobs"] = (digests) => this.#write(this.#waiting.noBlobs(digests));

  /** Never waits: where it is lost, the blob is only verified once more. */
  recordVerified: Metadata["recordVerified"] = async (digest, verifiedAt) => {
    const waiting = this.#waiting.blobs.get(digest)?.value;
    if (waiting !== undefined) this.#waiting.blob({ ...waiting, verifiedAt }).wait();
    else await this.#attempt(() => this.#real.recordVerified(digest, verifiedAt));
  };

  touch: Metadata["touch"] = (uses) => this.#write(this.#waiting.used(uses));

  /** Called again and again: what fails now is done the next time. */
  clampUses: Metadata["clampUses"] = async (now, before) => {
    this.#waiting.clampUses(now, before);
    if (this.#waiting.count === 0) await this.#attempt(() => this.#real.clampUses(now, before));
  };

  recordManifest: Metadata["recordManifest"] = (where, manifest, listed) =>
    this.#write(this.#waiting.manifest(where, manifest, listed));

  forgetManifest: Metadata["forgetManifest"] = (digest) => this.#write(this.#waiting.noManifest(digest));

  /** After what waits, which may be of the same rows; a person waits for this one, and hears at once that it cannot be written. */
  recordImport: Metadata["recordImport"] = async (record) => {
    await this.flush();
    await this.#real.recordImport(record);
  };

  recordTag: Metadata["recordTag"] = (record) => this.#write(this.#waiting.tag(record, record));

  forgetTag: Metadata["forgetTag"] = (key) => this.#write(this.#waiting.tag(key, undefined));

  recordLink: Metadata["recordLink"] = (where, change) => this.#write(this.#waiting.link(where, change));

  recordVisibility: Metadata["recordVisibility"] = (where, visibility) =>
    this.#write(this.#waiting.visibility(where, visibility));

  recordList: Metadata["recordList"] = (record) => this.#write(this.#waiting.list(record, record));

  forgetList: Metadata["forgetList"] = (key) => this.#write(this.#waiting.list(key, undefined));

  // --- what is known ---------------------------------------------------------------------------------------------

  blob: Metadata["blob"] = (digest) =>
    this.#row(this.#waiting.blobs.get(digest), () => this.#real.blob(digest));

  manifest: Metadata["manifest"] = (digest) =>
    this.#row(this.#waiting.manifests.get(digest), () => this.#real.manifest(digest));

  tag: Metadata["tag"] = (key) => this.#row(this.#waiting.tags.get(tagKey(key)), () => this.#real.tag(key));

  visibility: Metadata["visibility"] = (where) =>
    this.#row(this.#waiting.visibilities.get(repositoryKey(where)), () => this.#real.visibility(where));

  list: Metadata["list"] = (key) =>
    this.#row(this.#waiting.lists.get(listKey(key)), () => this.#real.list(key));

  tagsOf: Metadata["tagsOf"] = async (where) => {
    const written = await this.#known(() => this.#real.tagsOf(where), []);
    const latest = new Map<string, number>();
    for (const { tag, checkedAt } of [...written, ...this.#waiting.tagsOf(where)])
      latest.set(tag, Math.max(checkedAt, latest.get(tag) ?? checkedAt));
    return [...latest.keys()].sort().map((tag) => ({ tag, checkedAt: latest.get(tag) ?? 0 }));
  };

  link: Metadata["link"] = async (where, digest) => {
    const written = await this.#known(() => this.#real.link(where, digest), undefined);
    const waiting = this.#waiting.links.get(linkKey(where, digest)) ?? [];
    return waiting.reduce<Link | undefined>(changedLink, written);
  };

  /** None when they cannot be read: then nothing is evicted. */
  coldestBlobs: Metadata["coldestBlobs"] = (limit, after) =>
    this.#known(() => this.#pages.coldestBlobs(this.#real, limit, after), []);

  blobsToVerify: Metadata["blobsToVerify"] = (since, now, limit) =>
    this.#known(() => this.#pages.blobsToVerify(this.#real, since, now, limit), []);

  manifestsAfter: Metadata["manifestsAfter"] = (after, limit) =>
    this.#pages.manifestsAfter(this.#real, after, limit);

  /** Throws when it cannot be read: an empty answer would mean that no file is known. */
  blobsAfter: Metadata["blobsAfter"] = (after, limit) => this.#pages.blobsAfter(this.#real, after, limit);

  sums: Metadata["sums"] = async () => {
    this.#written = await this.#known(() => this.#real.sums(), this.#written);
    return await this.#known(() => this.#pages.sums(this.#real, this.#written), this.#written);
  };

  size: Metadata["size"] = async () => {
    this.#lastSize = await this.#known(() => this.#real.size(), this.#lastSize);
    return this.#lastSize;
  };

  putBack: Metadata["putBack"] = () => this.#real.putBack();

  // --- the end ---------------------------------------------------------------------------------------------------

  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async close(): Promise<void> {
    await this.flush();
    this.#isClosed = true;
    this.#retry?.cancel();
    await this.#real.close();
  }

  /** While rows wait, all others wait behind them: otherwise an older row could be written over a newer one. */
  async #write({ write, wait }: Change): Promise<void> {
    if (this.#waiting.count > 0) return this.#keepForLater(wait);
    try {
      await write(this.#real);
    } catch (error) {
      if (this.#isClosed || isGranaryError(error, "closed")) throw error;
      if (isRowsOwnFault(error)) return this.#refused(error);
      this.#keepForLater(wait);
      this.#unwritable(error);
    }
  }

  /** Writes it now or not at all. */
  async #attempt(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (this.#isClosed || isGranaryError(error, "closed")) throw error;
    }
  }

  #keepForLater(wait: () => void): void {
    wait();
    this.#retryLater();
  }

  #retryLater(): void {
    this.#retry ??= this.#options.clock.after(DATABASE_RETRIES.pauseMs, () => {
      this.#retry = undefined;
      void this.flush();
    });
  }

  /** In the order in which they came: a link that states a size must not be written after the change that took it back. */
  async #flush(): Promise<void> {
    let failures = 0;
    for (const row of this.#waiting.rows()) {
      try {
        await row.write(this.#real);
        failures = 0;
      } catch (error) {
        if (isGranaryError(error, "closed")) return;
        if (!isRowsOwnFault(error)) {
          this.#unwritable(error);
          failures += 1;
          if (failures < DATABASE_RETRIES.failuresInARow) continue;
          break;
        }
        this.#refused(error);
      }
      row.done();
    }
    if (this.#waiting.count === 0) this.#options.troubles.over(WRITES);
    else this.#retryLater();
  }

  /** Another try would not help: it is reported and given up. */
  #refused(error: unknown): void {
    const { troubles } = this.#options;
    troubles.trouble(ROW, { reason: messageOf(error) }, "a row cannot be written to the database");
    troubles.over(ROW);
  }

  #unwritable(error: unknown): void {
    const isFull = isGranaryError(error, "store-full");
    const todo = isFull
      ? "free some space on its disk, or lower storage.maxSize"
      : "check its disk, and that granary may write there";
    this.#options.troubles.trouble(
      WRITES,
      { reason: messageOf(error), waiting: this.#waiting.count, dropped: this.#waiting.takeDropped() },
      `The database cannot be written (${messageOf(error)}) What is learned stays in memory, is written as soon as that works again, and is lost if Granary stops before: ${todo}.`,
    );
    if (isFull) this.#whenFull();
  }

  async #row<V>(waiting: Waiting<V> | undefined, read: () => Promise<V | undefined>): Promise<V | undefined> {
    return waiting === undefined ? await this.#known(read, undefined) : waiting.value;
  }

  async #known<T>(read: () => Promise<T>, unknown: T): Promise<T> {
    const { troubles, clock } = this.#options;
    try {
      const found = await read();
      if (
        this.#unreadableAt !== undefined &&
        clock.elapsed() - this.#unreadableAt > DATABASE_RETRIES.readsQuietMs
      ) {
        this.#unreadableAt = undefined;
        troubles.over(READS);
      }
      return found;
    } catch (error) {
      if (this.#isClosed || isGranaryError(error, "closed")) throw error;
      this.#unreadableAt = clock.elapsed();
      troubles.trouble(
        READS,
        { reason: messageOf(error) },
        `The database cannot be read (${messageOf(error)}) What is stored there is asked for again at the registries: check its disk, and restart granary when that is repaired.`,
      );
      return unknown;
    }
  }
}
