/**
 * Owns a Metadata that a failing disk does not stop: what cannot be written waits in bounded memory and is written when the database
 * takes rows again, and what cannot be read is not known. Not known permits nothing: who has no link, or no word that a repository is
 * public, is asked for at the upstream. It must never keep bytes from a client, and never show an older row than the last word. Over 300
 * lines, because each method of the port stands here beside what becomes of it when the disk fails.
 */
import { isGranaryError, messageOf } from "../errors.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Episodes } from "../observe/episodes.ts";
import type { Digest } from "../oci/digest.ts";
import { isRowsOwnFault } from "./database-error.ts";
import { changedLink } from "./link-change.ts";
import type { BlobRecord, Link, Metadata } from "./metadata.ts";
import { linkKey, listKey, repositoryKey, tagKey, Unwritten } from "./unwritten.ts";

export type PatientOptions = {
  readonly clock: Clock;
  /** Hears of `metadata-writes` and `metadata-reads`, and when they are over. */
  readonly troubles: Episodes;
  /** Called while rows wait because the disk is full: whoever can make room should. */
  readonly lacksRoom: () => void;
};

export type PatientMetadata = Metadata & {
  /** Tries to write what waits, now. */
  flush(): Promise<void>;
};

type Totals = Awaited<ReturnType<Metadata["totals"]>>;

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
  #retry: Timer | undefined;
  #flushing: Promise<void> | undefined;
  #unreadableAt: number | undefined;
  #lastTotals: Totals = { blobs: 0, bytes: 0, manifests: 0 };
  #lastSize = 0;
  #isClosed = false;

  constructor(real: Metadata, options: PatientOptions) {
    this.#real = real;
    this.#options = options;
  }

  // --- what is written -------------------------------------------------------------------------------------------

  recordBlob: Metadata["recordBlob"] = (blob) =>
    this.#write(
      () => this.#real.recordBlob(blob),
      () => this.#waiting.holdBlob(blob.digest, blob),
    );

  forgetBlob: Metadata["forgetBlob"] = (digest) =>
    this.#write(
      () => this.#real.forgetBlob(digest),
      () => this.#waiting.holdBlob(digest, undefined),
    );

  /** Not to know that something was verified costs no more than to verify it again: it never waits. */
  recordVerified: Metadata["recordVerified"] = async (digest, verifiedAt) => {
    const waiting = this.#waiting.blobs.get(digest)?.value;
    if (waiting !== undefined) this.#waiting.holdBlob(digest, { ...waiting, verifiedAt });
    else await this.#attempt(() => this.#real.recordVerified(digest, verifiedAt));
  };

  forgetManifest: Metadata["forgetManifest"] = (digest) =>
    this.#write(
      () => this.#real.forgetManifest(digest),
      () => this.#waiting.holdNoManifest(digest),
    );

  touch: Metadata["touch"] = (uses) =>
    this.#write(
      () => this.#real.touch(uses),
      () => this.#waiting.holdUses(uses),
    );

  /** Asked for again and again: what cannot be done now is nobody's trouble, and done the next time. */
  clampUses: Metadata["clampUses"] = async (now, before) => {
    this.#waiting.clampUses(now, before);
    if (this.#waiting.count > 0) return;
    try {
      await this.#real.clampUses(now, before);
    } catch (error) {
      if (this.#isClosed || isGranaryError(error, "closed")) throw error;
    }
  };

  recordManifest: Metadata["recordManifest"] = (where, manifest, listed) =>
    this.#write(
      () => this.#real.recordManifest(where, manifest, listed),
      () => this.#waiting.holdManifest(where, manifest, listed),
    );

  recordTag: Metadata["recordTag"] = (record) =>
    this.#write(
      () => this.#real.recordTag(record),
      () => this.#waiting.holdTag(record, record),
    );

  forgetTag: Metadata["forgetTag"] = (key) =>
    this.#write(
      () => this.#real.forgetTag(key),
      () => this.#waiting.holdTag(key, undefined),
    );

  recordLink: Metadata["recordLink"] = (where, change) =>
    this.#write(
      () => this.#real.recordLink(where, change),
      () => this.#waiting.holdLink(where, change),
    );

  recordVisibility: Metadata["recordVisibility"] = (where, visibility) =>
    this.#write(
      () => this.#real.recordVisibility(where, visibility),
      () => this.#waiting.holdVisibility(where, visibility),
    );

  recordList: Metadata["recordList"] = (record) =>
    this.#write(
      () => this.#real.recordList(record),
      () => this.#waiting.holdList(record, record),
    );

  forgetList: Metadata["forgetList"] = (key) =>
    this.#write(
      () => this.#real.forgetList(key),
      () => this.#waiting.holdList(key, undefined),
    );

  // --- what is known ---------------------------------------------------------------------------------------------

  blob: Metadata["blob"] = async (digest) => {
    const waiting = this.#waiting.blobs.get(digest);
    return waiting ? waiting.value : await this.#known(() => this.#real.blob(digest), undefined);
  };

  manifest: Metadata["manifest"] = async (digest) => {
    const waiting = this.#waiting.manifests.get(digest);
    return waiting ? waiting.value : await this.#known(() => this.#real.manifest(digest), undefined);
  };

  tag: Metadata["tag"] = async (key) => {
    const waiting = this.#waiting.tags.get(tagKey(key));
    return waiting ? waiting.value : await this.#known(() => this.#real.tag(key), undefined);
  };

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

  visibility: Metadata["visibility"] = async (where) => {
    const waiting = this.#waiting.visibilities.get(repositoryKey(where));
    return waiting ? waiting.value : await this.#known(() => this.#real.visibility(where), undefined);
  };

  list: Metadata["list"] = async (key) => {
    const waiting = this.#waiting.lists.get(listKey(key));
    return waiting ? waiting.value : await this.#known(() => this.#real.list(key), undefined);
  };

  /** Nothing to evict is what is known when nothing can be read. */
  coldestBlobs: Metadata["coldestBlobs"] = async (limit, skip) => {
    const { blobs, uses } = this.#waiting;
    if (blobs.size === 0 && uses.size === 0)
      return await this.#known(() => this.#real.coldestBlobs(limit, skip), []);
    const all = await this.#known(() => this.allBlobs(), []);
    all.sort((a, b) => a.usedAt - b.usedAt || (a.digest < b.digest ? -1 : 1));
    return all.slice(skip, skip + limit);
  };

  blobsToVerify: Metadata["blobsToVerify"] = async (since, now, limit, skip) => {
    if (this.#waiting.blobs.size === 0)
      return await this.#known(() => this.#real.blobsToVerify(since, now, limit, skip), []);
    const dateOf = ({ verifiedAt = 0 }: BlobRecord) => verifiedAt;
    const all = await this.#known(() => this.allBlobs(), []);
    const due = all.filter((row) => dateOf(row) < since || dateOf(row) > now);
    due.sort((a, b) => dateOf(a) - dateOf(b) || (a.digest < b.digest ? -1 : 1));
    return due.slice(skip, skip + limit);
  };

  manifestsAfter: Metadata["manifestsAfter"] = async (after, limit) => {
    const { manifests } = this.#waiting;
    const written = await this.#real.manifestsAfter(after, limit + manifests.size);
    const found = new Map(written.map((manifest) => [manifest.digest, manifest]));
    for (const [digest, { value }] of manifests) {
      if (value === undefined) found.delete(digest);
      else if (digest > after) found.set(digest, value);
    }
    return [...found.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1)).slice(0, limit);
  };

  /** Throws where it cannot be read: what would be made of an empty answer is a decision about every file. */
  allBlobs: Metadata["allBlobs"] = async () => {
    const { blobs, uses } = this.#waiting;
    const rows = new Map<Digest, BlobRecord>();
    for (const row of await this.#real.allBlobs()) if (!blobs.has(row.digest)) rows.set(row.digest, row);
    for (const { value } of blobs.values()) if (value !== undefined) rows.set(value.digest, value);
    return [...rows.values()].map((row) => {
      const usedAt = uses.get(row.digest);
      return usedAt === undefined || usedAt < row.usedAt ? row : { ...row, usedAt };
    });
  };

  /** The last that could be read, with what waits. */
  totals: Metadata["totals"] = async () => {
    this.#lastTotals = await this.#known(() => this.#real.totals(), this.#lastTotals);
    let { blobs, bytes } = this.#lastTotals;
    for (const [digest, { value }] of this.#waiting.blobs) {
      const written = await this.#known(() => this.#real.blob(digest), undefined);
      blobs += Number(value !== undefined) - Number(written !== undefined);
      bytes += (value?.size ?? 0) - (written?.size ?? 0);
    }
    let { manifests } = this.#lastTotals;
    for (const [digest, { value }] of this.#waiting.manifests) {
      const written = await this.#known(() => this.#real.manifest(digest), undefined);
      manifests += Number(value !== undefined) - Number(written !== undefined);
    }
    return { blobs: Math.max(0, blobs), bytes: Math.max(0, bytes), manifests };
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
  async #write(write: () => Promise<void>, hold: () => void): Promise<void> {
    if (this.#waiting.count > 0) return this.#hold(hold);
    try {
      await write();
    } catch (error) {
      if (this.#isClosed || isGranaryError(error, "closed")) throw error;
      if (isRowsOwnFault(error)) return this.#refused(error);
      this.#hold(hold);
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

  #hold(hold: () => void): void {
    hold();
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
    if (isFull) this.#options.lacksRoom();
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
