/**
 * Owns the verification of everything that is stored, as a list of named steps: what was looked at, what was found, and, when told to
 * repair, what was done about it. It fetches nothing: what was set aside or forgotten is fetched again when somebody asks for it.
 */
import { basename } from "node:path";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import type { BlobRecord, Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import { type Digest, encodedOf, parseDigest } from "../../oci/digest.ts";
import { isSoundManifest } from "../../oci/manifest.ts";
import type { BlobStore, StoredBlob, Verification } from "../../store/blob-store.ts";
import type { Damage } from "../space/damage.ts";
import type { SoundBlobs } from "./sound-blobs.ts";

/**
 * `damaged-manifest`, `damaged-blob`: the digest is another. `wrong-size`: of a blob. `unreadable`: the disk or the rights keep it from being
 * read. `unregistered`: a sound blob that the database does not know. `missing`: a blob that it knows and that is gone. `stranger`: among
 * the blobs and none, which is left alone.
 */
export type FindingKind =
  | "damaged-manifest"
  | "damaged-blob"
  | "wrong-size"
  | "unreadable"
  | "unregistered"
  | "missing"
  | "stranger";

export type Finding = {
  readonly kind: FindingKind;
  /** A digest; the path of a stranger. */
  readonly what: string;
  /** True when nothing is left to be done about it. */
  readonly isRepaired: boolean;
  /** Why it could not be repaired, or read. */
  readonly reason?: string;
};

export type VerifyReport = {
  /** Sound ones. */
  readonly blobs: number;
  /** That they have together. */
  readonly bytes: number;
  readonly manifests: number;
  readonly findings: readonly Finding[];
  /** Nothing was found that is still to be repaired; strangers are nobody's fault. */
  readonly isSound: boolean;
};

export type VerifyOptions = {
  /** Set aside what is damaged, forget what is gone, register what is sound and unknown. */
  readonly repair: boolean;
  readonly signal?: AbortSignal;
  /** Bytes of blobs, of those that lie there. Called now and then. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
};

export type VerifyParts = {
  readonly metadata: Metadata;
  readonly store: BlobStore;
  readonly sound: SoundBlobs;
  readonly damage: Damage;
  readonly clock: Clock;
  /** While a blob is read; the returned release is called afterwards. */
  readonly pin: (digest: Digest) => () => void;
  /** A fill of it is running: it is neither missing nor wrong. */
  readonly isFilled: (digest: Digest) => boolean;
};

type Listed = { readonly digest: Digest; readonly size: number; readonly changedAt: number };

/** What the steps share. */
type Work = VerifyParts & {
  readonly options: VerifyOptions;
  readonly rows: Map<Digest, BlobRecord>;
  readonly files: Listed[];
  readonly found: (kind: FindingKind, what: string, outcome?: Partial<Finding>) => void;
  readonly counts: { blobs: number; bytes: number; manifests: number };
  done: number;
  total: number;
};

const STEPS: readonly { readonly name: string; run(work: Work): Promise<void> }[] = [
  { name: "look for files and rows", run: look },
  { name: "hash manifests", run: verifyManifests },
  { name: "hash blobs", run: verifyBlobs },
  { name: "look for blobs that are gone", run: findMissing },
];

const TOLD_EVERY_MS = 500;
const MANIFESTS_AT_ONCE = 50;

/** Throws `aborted` when the signal says so, `closed`, and what Metadata throws when it cannot be read. */
export async function verifyStore(parts: VerifyParts, options: VerifyOptions): Promise<VerifyReport> {
  const findings: Finding[] = [];
  const counts = { blobs: 0, bytes: 0, manifests: 0 };
  const found: Work["found"] = (kind, what, outcome = {}) =>
    findings.push({ kind, what, isRepaired: false, ...outcome });
  const work: Work = { ...parts, options, rows: new Map(), files: [], found, counts, done: 0, total: 0 };
  for (const { run } of STEPS) await run(work);
  options.onProgress?.({ done: work.total, total: work.total });
  const isSound = findings.every(({ kind, isRepaired }) => isRepaired || kind === "stranger");
  return { ...counts, findings: inPlaceOf(findings), isSound };
}

/** What lies in the place of a blob that is missing is told once, with the blob: repair does not leave that alone. */
function inPlaceOf(findings: readonly Finding[]): Finding[] {
  const places = new Map(
    findings.filter(({ kind }) => kind === "stranger").map((found) => [basename(found.what), found]),
  );
  const told = new Set<Finding>();
  const joined = findings.map((found) => {
    const other = found.kind === "missing" ? places.get(encodedOf(parseDigest(found.what))) : undefined;
    if (other === undefined) return found;
    told.add(other);
    return { ...found, reason: found.reason ?? "something else lies in its place" };
  });
  return joined.filter((found) => !told.has(found));
}

async function look(work: Work): Promise<void> {
  for (const row of await work.metadata.allBlobs()) work.rows.set(row.digest, row);
  const onStranger = (path: string) => work.found("stranger", path);
  try {
    for await (const file of work.store.list(onStranger)) work.files.push(file);
  } catch (error) {
    work.found("unreadable", "blobs", { reason: messageOf(error) });
  }
  work.total = work.files.reduce((sum, { size }) => sum + size, 0);
}

async function verifyManifests(work: Work): Promise<void> {
  const { metadata, damage, options } = work;
  for (let after = ""; ; ) {
    checkAborted(options.signal);
    const manifests = await metadata.manifestsAfter(after, MANIFESTS_AT_ONCE);
    for (const manifest of manifests) {
      if (isSoundManifest(manifest)) work.counts.manifests += 1;
      else {
        if (options.repair) damage.manifest(manifest.digest);
        await repaired(work, "damaged-manifest", manifest.digest, () =>
          metadata.forgetManifest(manifest.digest),
        );
      }
      after = manifest.digest;
    }
    if (manifests.length < MANIFESTS_AT_ONCE) return;
  }
}

/** One after another: the disk has one head, and the hashing one thread. */
async function verifyBlobs(work: Work): Promise<void> {
  for (const file of work.files) {
    checkAborted(work.options.signal);
    const before = work.done;
    const release = work.pin(file.digest);
    try {
      await verifyBlob(work, file);
    } finally {
      release();
    }
    work.done = before + file.size;
    work.options.onProgress?.({ done: work.done, total: work.total });
  }
}

async function verifyBlob(work: Work, { digest }: Listed): Promise<void> {
  let stored: StoredBlob | undefined;
  try {
    stored = await work.store.open(digest);
    if (stored !== undefined) await verifyOpened(work, stored);
  } catch (error) {
    if (isGranaryError(error, "aborted", "closed")) throw error;
    const reason = messageOf(error);
    const mend = async () => {
      if (!(await work.sound.dropDamaged(digest, error, stored))) throw new Error(reason);
    };
    await repaired(work, "unreadable", digest, mend, reason);
  } finally {
    await stored?.close();
  }
}

async function verifyOpened(work: Work, stored: StoredBlob): Promise<void> {
  const { metadata, sound, clock, counts } = work;
  const { digest, size } = stored;
  const isRight = await verdictOf(work, await stored.verify());
  const row = work.rows.get(digest);
  work.rows.delete(digest);
  if (work.isFilled(digest)) return;
  if (!isRight) {
    const kind = row !== undefined && row.size !== size ? "wrong-size" : "damaged-blob";
    const reason = kind === "wrong-size" ? `it has ${size} bytes` : "its bytes hash to another digest";
    return await repaired(work, kind, digest, () => sound.setAsideUnsound(stored, reason));
  }
  counts.blobs += 1;
  counts.bytes += size;
  const verifiedAt = clock.now();
  if (row?.size === size) return await metadata.recordVerified(digest, verifiedAt);
  const usedAt = row?.usedAt ?? changedAtOf(work, digest);
  await repaired(work, "unregistered", digest, () =>
    metadata.recordBlob({ digest, size, usedAt, verifiedAt }),
  );
}

function changedAtOf({ files }: Work, digest: Digest): number {
  return files.find((file) => file.digest === digest)?.changedAt ?? 0;
}

/** The verdict; tells meanwhile how far it is, and ends the hashing when the signal says so. */
async function verdictOf(work: Work, verification: Verification): Promise<boolean> {
  const { clock, options } = work;
  const { signal, onProgress } = options;
  const stop = () => verification.stop();
  const tell = () => {
    onProgress?.({ done: work.done + verification.done, total: work.total });
    timer = clock.after(TOLD_EVERY_MS, tell);
  };
  let timer = clock.after(TOLD_EVERY_MS, tell);
  signal?.addEventListener("abort", stop);
  verification.hurry();
  try {
    return await verification.verdict;
  } catch (error) {
    checkAborted(signal);
    throw error;
  } finally {
    timer.cancel();
    signal?.removeEventListener("abort", stop);
  }
}

async function findMissing(work: Work): Promise<void> {
  for (const { digest } of work.rows.values()) {
    checkAborted(work.options.signal);
    const absence = await absenceOf(work, digest);
    if (absence !== undefined) await repaired(work, "missing", digest, absence);
  }
}

/** How to mend it, where nothing that could be the blob lies in its place; also one that came or went meanwhile is none of those. */
async function absenceOf(work: Work, digest: Digest): Promise<(() => Promise<void>) | undefined> {
  const { store, metadata, sound, isFilled } = work;
  if (isFilled(digest) || (await metadata.blob(digest)) === undefined) return undefined;
  try {
    return (await store.stat(digest)) === undefined ? () => metadata.forgetBlob(digest) : undefined;
  } catch (error) {
    // What the disk does not tell says nothing; what it says is that something else lies there.
    if (!isGranaryError(error, "store-damaged") || error.cause !== undefined) return undefined;
    return async () => void (await sound.dropDamaged(digest, error));
  }
}

/** Notes what was found, after `mend` where repair was asked for. */
async function repaired(
  work: Work,
  kind: FindingKind,
  what: string,
  mend: () => Promise<void>,
  reason?: string,
): Promise<void> {
  const said = reason !== undefined && { reason };
  if (!work.options.repair) return work.found(kind, what, { ...said });
  try {
    await mend();
    work.found(kind, what, { isRepaired: true, ...said });
  } catch (error) {
    if (isGranaryError(error, "closed")) throw error;
    work.found(kind, what, { reason: messageOf(error) });
  }
}

function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new GranaryError("aborted", "The verification was stopped.");
}
