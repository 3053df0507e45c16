/**
 * Owns the access to stored blobs that may be damaged: one that is cut off or overwritten, or whose place is taken by something else, is moved
 * to the damaged files and counts as absent, so that it is fetched again. It never decides who may have a blob.
 */
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import type { BlobRecord, Metadata } from "../../metadata/metadata.ts";
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

export type Soundness = "verified" | "recorded" | "unknown";

/** A blob on disk, with what is known of its bytes. */
export type OpenedBlob = {
  /** The caller closes it. */
  readonly stored: StoredBlob;
  /**
   * `verified`: hashed by this process, and not written to since. `recorded`: hashed by an earlier process. `unknown`: nobody has hashed it.
   * Of an unknown one, a reader of a range gets no byte before it was hashed, and a reader of the whole does not get the last bytes.
   */
  readonly knowledge: Soundness;
  /**
   * Hashes the file and tells whether its bytes are right; all who ask share one hashing, which is slow while nobody hurries it. A wrong blob
   * has been set aside by then. Rejects `store-damaged` when they cannot be read, `closed`.
   */
  check(isHurried: boolean): Promise<boolean>;
};

/** Bytes a second that all hashings together may read while nobody waits for them. */
const UNHURRIED = 64 * 1024 * 1024;

export class SoundBlobs {
  readonly #parts: SoundBlobsParts;
  readonly #running = new Map<Verification, Promise<boolean>>();

  constructor(parts: SoundBlobsParts) {
    this.#parts = parts;
  }

  /**
   * undefined when absent, or damaged (then it has been set aside). `likelySize` is what a descriptor states: if nobody has hashed the file and
   * it has another size, it is hashed first.
   */
  async open(digest: Digest, likelySize: number | undefined): Promise<OpenedBlob | undefined> {
    const stored = await this.#orSetAside(digest, this.#parts.store.open(digest));
    if (stored === undefined) {
      await this.forgetAbsent([digest]);
      return undefined;
    }
    const knowledge = await this.#knownOrClosed(stored, likelySize);
    return knowledge && { stored, knowledge, check: (isHurried) => this.check(stored, isHurried) };
  }

  /** `likelySize` is what a descriptor states; a file of another size that nobody has hashed counts as absent. */
  async stat(digest: Digest, likelySize: number | undefined): Promise<{ readonly size: number } | undefined> {
    const found = await this.#orSetAside(digest, this.#parts.store.stat(digest));
    if (found === undefined || found.size === likelySize) return found;
    // A descriptor may be wrong about the size; a file that was hashed is right.
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
   * Does what is needed after `error` from reading the blob's file (`stored`, if it could be opened). True when the store may be asked again:
   * the blob is gone and can be fetched, or somebody has repaired it meanwhile. Never throws.
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

  /** Sets aside a blob with wrong bytes, unless another file is in its place by now, or a fill of it runs. Throws `store-damaged`. */
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

  /** Ends all hashing: whoever waits for it gets `closed`. */
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
      // Without a row: nobody knew it until now, or it was evicted meanwhile, and then it must not get one.
      else if ((await store.stat(digest)) !== undefined && !pins.isLeaving(digest))
        await metadata.recordBlob({ digest, size, usedAt: verifiedAt, verifiedAt });
      return true;
    }
    await this.setAsideUnsound(stored, "its bytes hash to another digest").catch((error: unknown) =>
      log.warn({ digest, reason: messageOf(error) }, "a damaged blob cannot be set aside"),
    );
    return false;
  }

  /** undefined when it is damaged: then it has been closed and set aside. */
  async #knownOrClosed(stored: StoredBlob, likelySize: number | undefined): Promise<Soundness | undefined> {
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

  async #knowledgeOf(stored: StoredBlob): Promise<Soundness | "cut"> {
    if (stored.wasVerified) return "verified";
    const row = await this.#parts.metadata.blob(stored.digest);
    if (row === undefined) return "unknown";
    if (row.size !== stored.size) return "cut";
    return row.verifiedAt === undefined ? "unknown" : "recorded";
  }

  /** Deletes the rows of those of `digests` whose files are gone: they would count against the budget. Returns how many. */
  async forgetAbsent(digests: readonly Digest[]): Promise<number> {
    const { metadata, pins } = this.#parts;
    const looks = digests.map(async (digest) => {
      const row = await metadata.blob(digest);
      return row !== undefined && (await this.#isGone(digest)) ? row : undefined;
    });
    const rows = (await Promise.all(looks)).filter((row) => row !== undefined);
    // What a fill brings gets its row from that.
    const absent = rows.filter(({ digest }) => !pins.isFilled(digest));
    await metadata.forgetBlobs(absent.map(({ digest }) => digest));
    const areBack = await Promise.all(absent.map((row) => this.#isBack(row)));
    return areBack.filter((isBack) => !isBack).length;
  }

  /** A fill may have brought the blob between the look at its file and the end of its row: then it gets its row back. */
  async #isBack(row: BlobRecord): Promise<boolean> {
    const { metadata, store } = this.#parts;
    if ((await unlessDamaged(store.stat(row.digest))) === undefined) return false;
    await metadata.recordBlob(row);
    return true;
  }

  /** A failure of the disk does not mean that it is gone; something else in its place does. */
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

  /** Row first: a crash in between leaves a file without a row, and never a row of a damaged file. */
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
 * True for errors of this file: the disk cannot read it, or it belongs to another user. False for others, such as too many open files or no
 * memory, which have nothing to do with it.
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
