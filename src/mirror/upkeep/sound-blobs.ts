/**
 * Owns committed blobs as they should be: what cannot be trusted any more (cut off, overwritten, something else in its place) is set
 * aside here and counts as absent, so that it is fetched again. It never decides who may have a blob.
 */
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BlobStore, StoredBlob, Verification } from "../../store/blob-store.ts";
import type { Damage } from "../space/damage.ts";
import type { Pins } from "../space/pins.ts";

export type SoundBlobsParts = {
  readonly store: BlobStore;
  readonly metadata: Metadata;
  readonly pins: Pick<Pins, "isFilled" | "isLeaving">;
  readonly damage: Damage;
  readonly clock: Clock;
  readonly log: Log;
};

export type Knowledge = "verified" | "recorded" | "unknown";

/** A blob on disk, with what is known of its bytes. */
export type OpenedBlob = {
  /** The caller closes it. */
  readonly stored: StoredBlob;
  /**
   * `verified`: hashed by this process, and not written to since. `recorded`: hashed by an earlier one. `unknown`: it only bears the
   * digest's name; nobody gets a byte of it before it was hashed, but a whole reader, who does not get the last ones.
   */
  readonly knowledge: Knowledge;
  /**
   * Whether the bytes are right now, by hashing them; one hashing for everybody, in no haste while nobody hurries it. Whatever is wrong
   * has been set aside by then. Rejects `store-damaged` when they cannot be read, `closed`.
   */
  check(isHurried: boolean): Promise<boolean>;
};

/** What all hashings together may read a second while nobody waits for them, bytes. */
const UNHURRIED = 64 * 1024 * 1024;

export class SoundBlobs {
  readonly #parts: SoundBlobsParts;
  readonly #running = new Map<Verification, Promise<boolean>>();

  constructor(parts: SoundBlobsParts) {
    this.#parts = parts;
  }

  /**
   * undefined when absent, or damaged until now. `likelySize` is what a descriptor states: where nobody has hashed the file, its size can
   * be promised to nobody before that unless the two agree.
   */
  async open(digest: Digest, likelySize: number | undefined): Promise<OpenedBlob | undefined> {
    const stored = await this.#orSetAside(digest, this.#parts.store.open(digest));
    if (stored === undefined) {
      await this.forgetAbsent(digest);
      return undefined;
    }
    const knowledge = await this.#knownOrClosed(stored, likelySize);
    return knowledge && { stored, knowledge, check: (isHurried) => this.check(stored, isHurried) };
  }

  /** `likelySize` is what a descriptor states; a file of another size that nobody has hashed counts for nothing yet. */
  async stat(digest: Digest, likelySize: number | undefined): Promise<{ readonly size: number } | undefined> {
    const found = await this.#orSetAside(digest, this.#parts.store.stat(digest));
    if (found === undefined || found.size === likelySize) return found;
    // A descriptor may be wrong about the size; what was hashed is right.
    const row = await this.#parts.metadata.blob(digest);
    if (row !== undefined && row.size !== found.size) await this.drop(digest, `it has ${found.size} bytes`);
    return row?.size === found.size && row.verifiedAt !== undefined ? found : undefined;
  }

  /** Sets the blob aside, unless its file has been replaced by a sound one, or is about to be. */
  async drop(digest: Digest, reason: string): Promise<void> {
    const { store, metadata, pins } = this.#parts;
    const row = await metadata.blob(digest);
    const found = await unlessDamaged(store.stat(digest));
    if (pins.isFilled(digest) || (row !== undefined && row.size === found?.size)) return;
    await this.#setAside(digest, reason);
  }

  /**
   * What `error` says of the blob's file (`stored`, where it could be opened) is acted on; true when the store may be asked again: the blob
   * is gone and can be fetched, or somebody has mended it meanwhile. Never throws.
   */
  async dropDamaged(digest: Digest, error: unknown, stored?: StoredBlob): Promise<boolean> {
    const { store, pins, log } = this.#parts;
    try {
      if (stored !== undefined && isGranaryError(error, "digest-mismatch")) {
        await this.setAsideUnsound(stored, messageOf(error));
        return !(await this.#isInPlace(stored));
      }
      const isHopeless = isUnreadable(error);
      if (!isHopeless) await this.drop(digest, messageOf(error));
      else if (!pins.isFilled(digest)) await this.#setAside(digest, messageOf(error));
      return !isHopeless || (await unlessDamaged(store.stat(digest))) === undefined;
    } catch (failed) {
      log.warn({ digest, reason: messageOf(failed) }, "a damaged blob cannot be set aside");
      return false;
    }
  }

  /** Sets aside what turned out wrong, unless somebody has put another in its place meanwhile, or is about to. Throws `store-damaged`. */
  async setAsideUnsound(stored: StoredBlob, reason: string): Promise<void> {
    if (await this.#isInPlace(stored)) await this.#setAside(stored.digest, reason);
  }

  /** See OpenedBlob; `pace` in bytes a second. */
  async check(stored: StoredBlob, isHurried: boolean, pace = this.#pace): Promise<boolean> {
    const verification = await stored.verify(pace);
    if (isHurried) verification.hurry();
    let outcome = this.#running.get(verification);
    if (outcome === undefined) {
      outcome = this.#judge(stored, verification).finally(() => this.#running.delete(verification));
      this.#running.set(verification, outcome);
    }
    return await outcome;
  }

  /** Ends what is being hashed: whoever waits for it hears `closed`. */
  async close(): Promise<void> {
    const running = [...this.#running];
    for (const [verification] of running) verification.stop();
    await Promise.allSettled(running.map(([, outcome]) => outcome));
  }

  readonly #pace = () => UNHURRIED / Math.max(1, this.#running.size);

  async #judge(stored: StoredBlob, { verdict }: Verification): Promise<boolean> {
    const { metadata, store, pins, clock, log } = this.#parts;
    const { digest, size } = stored;
    if (await verdict) {
      const verifiedAt = clock.now();
      if ((await metadata.blob(digest)) !== undefined) await metadata.recordVerified(digest, verifiedAt);
      // It may have been evicted meanwhile, which is when it has no row for good.
      else if ((await store.stat(digest)) !== undefined && !pins.isLeaving(digest))
        await metadata.recordBlob({ digest, size, usedAt: verifiedAt, verifiedAt });
      return true;
    }
    await this.setAsideUnsound(stored, "its bytes hash to another digest").catch((error: unknown) =>
      log.warn({ digest, reason: messageOf(error) }, "a damaged blob cannot be set aside"),
    );
    return false;
  }

  /** undefined when it turned out damaged: then it has been closed and set aside. */
  async #knownOrClosed(stored: StoredBlob, likelySize: number | undefined): Promise<Knowledge | undefined> {
    const { digest, size } = stored;
    try {
      const knowledge = await this.#knowledgeOf(stored);
      if (knowledge === "cut") await this.drop(digest, `it has ${size} bytes`);
      else if (knowledge !== "unknown" || size === likelySize) return knowledge;
      else if (await this.check(stored, true)) return "verified";
    } catch (error) {
      await stored.close();
      throw error;
    }
    await stored.close();
    return undefined;
  }

  async #knowledgeOf(stored: StoredBlob): Promise<Knowledge | "cut"> {
    if (stored.wasVerified) return "verified";
    const row = await this.#parts.metadata.blob(stored.digest);
    if (row === undefined) return "unknown";
    if (row.size !== stored.size) return "cut";
    return row.verifiedAt === undefined ? "unknown" : "recorded";
  }

  /** A row without a file (somebody removed it) counts for nothing, and against the budget: it goes, and true. */
  async forgetAbsent(digest: Digest): Promise<boolean> {
    const { metadata, pins, store } = this.#parts;
    const row = await metadata.blob(digest);
    if (row === undefined || pins.isFilled(digest) || !(await this.#isGone(digest))) return false;
    // A fill may have brought it in meanwhile.
    if (pins.isFilled(digest)) return false;
    await metadata.forgetBlobs([digest]);
    if ((await unlessDamaged(store.stat(digest))) === undefined) return true;
    await metadata.recordBlob(row);
    return false;
  }

  /** What the disk does not tell says nothing; where it says that something else lies there, the blob does not. */
  async #isGone(digest: Digest): Promise<boolean> {
    try {
      return (await this.#parts.store.stat(digest)) === undefined;
    } catch (error) {
      return isGranaryError(error, "store-damaged") && error.cause === undefined;
    }
  }

  async #isInPlace({ digest, identity }: StoredBlob): Promise<boolean> {
    const { store, pins } = this.#parts;
    if (pins.isFilled(digest)) return false;
    const now = await unlessDamaged(store.open(digest));
    await now?.close();
    return now?.identity === identity;
  }

  /** Row first, so that a crash leaves a file that nobody knows, and never a row that lies. */
  async #setAside(digest: Digest, reason: string): Promise<void> {
    const { store, metadata, damage } = this.#parts;
    await metadata.forgetBlobs([digest]);
    await store.setAside(digest);
    damage.blob(digest, reason);
  }

  async #orSetAside<T>(digest: Digest, looking: Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await looking;
    } catch (error) {
      if (!isGranaryError(error, "store-damaged")) throw error;
      await this.dropDamaged(digest, error);
      return undefined;
    }
  }
}

/**
 * Bytes that the disk cannot give back, and files that are another user's. Not: too many open files, no memory and the like, which
 * say nothing about this one.
 */
function isUnreadable(error: unknown): boolean {
  const cause = error instanceof GranaryError ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return ["EIO", "EBADMSG", "EUCLEAN", "EACCES", "EPERM"].includes(code);
}

async function unlessDamaged<T>(looking: Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (isGranaryError(error, "store-damaged")) return undefined;
    throw error;
  }
}
