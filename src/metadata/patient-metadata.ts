/**
 * Owns a Metadata that a failing disk does not stop: what cannot be written waits in bounded memory and is written when the database
 * takes rows again, and what cannot be read is not known. Not known permits nothing: who has no link, or no word that a repository is
 * public, is asked for at the upstream. It must never keep bytes from a client, and never show an older row than the last one it was given.
 */
import { isGranaryError, messageOf } from "../errors.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Episodes } from "../observe/episodes.ts";
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
  readonly troubles: Episodes;
};

export type PatientMetadata = Metadata & {
  /** Tries to write what waits, now. */
  flush(): Promise<void>;
  /** `listener` is called again and again while rows wait because the disk is full: whoever can make room should. */
  onFull(listener: () => void): void;
};

const RETRY_MS = 2_000;
/** A row alone that fails must not keep the others; so many are not alone. */
const FAILURES_IN_A_ROW = 5;
/** Reads that worked for so long after one that failed mean that it was the last. */
const READS_QUIET_MS = 60_000;

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
  /** What could be read last. */
  #written: Sums = { blobs: 0, bytes: 0, manifests: 0 };
  #lastSize = 0;
  #isClosed = false;

  constructor(real: Metadata, options: PatientOptions) {
    this.#real = real;
    this.#options = options;
  }

  onFull(listener: () => void): void {
    this.#whenFull = listener;
  }

  // --- what is written -------------------------------------------------------------------------------------------

  recordBlob: Metadata["recordBlob"] = (blob) => this.#write(this.#waiting.blob(blob));

  forgetBlobs: Metadata["forgetBlobs"] = (digests) => this.#write(this.#waiting.noBlobs(digests));

  /** Not to know that something was verified costs no more than to verify it again: it never waits. */
  recordVerified: Metadata["recordVerified"] = async (digest, verifiedAt) => {
    const waiting = this.#waiting.blobs.get(digest)?.value;
    if (waiting !== undefined) this.#waiting.blob({ ...waiting, verifiedAt }).wait();
    else await this.#attempt(() => this.#real.recordVerified(digest, verifiedAt));
  };

  touch: Metadata["touch"] = (uses) => this.#write(this.#waiting.used(uses));

  /** Asked for again and again: what cannot be done now is nobody's trouble, and done the next time. */
  clampUses: Metadata["clampUses"] = async (now, before) => {
    this.#waiting.clampUses(now, before);
    if (this.#waiting.count === 0) await this.#attempt(() => this.#real.clampUses(now, before));
  };

  recordManifest: Metadata["recordManifest"] = (where, manifest, listed) =>
    this.#write(this.#waiting.manifest(where, manifest, listed));

  forgetManifest: Metadata["forgetManifest"] = (digest) => this.#write(this.#waiting.noManifest(digest));

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
    const names = new Set(await this.#known(() => this.#real.tagsOf(where), []));
    for (const name of this.#waiting.tagsOf(where)) names.add(name);
    return [...names].sort();
  };

  link: Metadata["link"] = async (where, digest) => {
    const written = await this.#known(() => this.#real.link(where, digest), undefined);
    const waiting = this.#waiting.links.get(linkKey(where, digest)) ?? [];
    return waiting.reduce<Link | undefined>(changedLink, written);
  };

  /** Nothing to evict is what is known when nothing can be read. */
  coldestBlobs: Metadata["coldestBlobs"] = (limit, after) =>
    this.#known(() => this.#pages.coldestBlobs(this.#real, limit, after), []);

  blobsToVerify: Metadata["blobsToVerify"] = (since, now, limit) =>
    this.#known(() => this.#pages.blobsToVerify(this.#real, since, now, limit), []);

  manifestsAfter: Metadata["manifestsAfter"] = (after, limit) =>
    this.#pages.manifestsAfter(this.#real, after, limit);

  /** What would be made of an empty answer is a decision about every file: it throws. */
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

  /** While rows wait all others wait behind them: an older one must not be written over a newer. */
  async #write({ write, wait }: Change): Promise<void> {
    if (this.#waiting.count > 0) return this.#hold(wait);
    try {
      await write(this.#real);
    } catch (error) {
      if (this.#isClosed || isGranaryError(error, "closed")) throw error;
      if (isRowsOwnFault(error)) return this.#refused(error);
      this.#hold(wait);
      this.#unwritable(error);
    }
  }

  /** What cannot be written now is not written. */
  async #attempt(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (this.#isClosed || isGranaryError(error, "closed")) throw error;
    }
  }

  #hold(wait: () => void): void {
    wait();
    this.#retryLater();
  }

  #retryLater(): void {
    this.#retry ??= this.#options.clock.after(RETRY_MS, () => {
      this.#retry = undefined;
      void this.flush();
    });
  }

  /** In the order in which they came: a size that was forgotten must not come back with the link that stated it. */
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
          if (failures < FAILURES_IN_A_ROW) continue;
          break;
        }
        this.#refused(error);
      }
      row.done();
    }
    if (this.#waiting.count === 0) this.#options.troubles.over(WRITES);
    else this.#retryLater();
  }

  /** No other disk would make a difference: it is said, and forgotten. */
  #refused(error: unknown): void {
    const { troubles } = this.#options;
    troubles.trouble(ROW, { reason: messageOf(error) }, "a row cannot be written to the database");
    troubles.over(ROW);
  }

  #unwritable(error: unknown): void {
    const isFull = isGranaryError(error, "store-full");
    const todo = isFull
      ? "free some space on its disk, or lower storage.maxSize"
      : "see to its disk, and that granary may write there";
    this.#options.troubles.trouble(
      WRITES,
      { reason: messageOf(error), waiting: this.#waiting.count, dropped: this.#waiting.takeDropped() },
      `The database cannot be written (${messageOf(error)}) What is learned is kept in memory and written as soon as that goes again, but lost if Granary stops before: ${todo}.`,
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
      if (this.#unreadableAt !== undefined && clock.elapsed() - this.#unreadableAt > READS_QUIET_MS) {
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
        `The database cannot be read (${messageOf(error)}) What it should know is asked for again at the registries: see to its disk, and restart granary when that is well.`,
      );
      return unknown;
    }
  }
}
