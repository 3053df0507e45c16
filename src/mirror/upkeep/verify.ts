/**
 * Owns the verification of everything that is stored, as a list of named steps. It reports what it found and, when told to repair, what it did
 * about that. It fetches nothing: a blob that was set aside is fetched again when a client asks for it.
 */
import { basename } from "node:path";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import { type Digest, encodedOf, parseDigest } from "../../oci/digest.ts";
import { isSoundManifest } from "../../oci/manifest.ts";
import type { BlobStore, ListedBlob, StoredBlob, Verification } from "../../store/blob-store.ts";
import type { Damage } from "../space/damage.ts";
import type { Pins } from "../space/pins.ts";
import { type Item, inventory } from "./inventory.ts";
import type { SoundBlobs } from "./sound-blobs.ts";

/**
 * `damaged-manifest`, `damaged-blob`: its bytes have another digest. `wrong-size`: of a blob. `unreadable`: the disk or the file's permissions
 * prevent that it is read. `unregistered`: a sound blob that the database does not know. `missing`: a blob of the database whose file is
 * gone. `stranger`: something among the blobs that is none; it is left alone.
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
  /** Of these blobs together. */
  readonly bytes: number;
  readonly manifests: number;
  readonly findings: readonly Finding[];
  /** Nothing was found that still has to be repaired; strangers do not count. */
  readonly isSound: boolean;
};

export type VerifyOptions = {
  /** Set damaged blobs aside, delete rows of blobs that are gone, register sound blobs that have no row. */
  readonly repair: boolean;
  readonly signal?: AbortSignal;
  /** Bytes of the blobs that are on the disk. Called now and then. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  /** Only what this says true of; everything when left out. */
  readonly isMeant?: (digest: Digest) => boolean;
  /** Bytes that are read in a second; as many as the disk gives when left out. */
  readonly pace?: () => number;
  /** Where an earlier run was: it goes on from there. */
  readonly from?: VerifyPlace;
  /** Told after each blob. */
  readonly onPlace?: (place: VerifyPlace) => void;
};

/** How far a run has come: all manifests are done, and blobs up to `after`. */
export type VerifyPlace = Omit<VerifyReport, "isSound"> & { readonly after: string };

export type VerifyParts = {
  readonly metadata: Metadata;
  readonly store: BlobStore;
  readonly sound: SoundBlobs;
  readonly damage: Damage;
  readonly clock: Clock;
  /** A blob is pinned while it is read; one that is being filled is neither missing nor wrong. */
  readonly pins: Pick<Pins, "pin" | "isFilled" | "isLeaving">;
};

/** What the steps share. */
type VerifyRun = VerifyParts & {
  readonly options: VerifyOptions;
  readonly found: (kind: FindingKind, what: string, outcome?: Partial<Finding>) => void;
  readonly counts: { blobs: number; bytes: number; manifests: number };
  readonly place: (after: string) => void;
  done: number;
  total: number;
};

const STEPS: readonly { readonly name: string; run(work: VerifyRun): Promise<void> }[] = [
  { name: "add up what there is to hash", run: addUp },
  { name: "hash manifests", run: verifyManifests },
  { name: "hash blobs, and look for those that are gone", run: verifyBlobs },
];

const TOLD_EVERY_MS = 500;
const MANIFESTS_AT_ONCE = 50;

/** Throws `aborted` when the signal says so, `closed`, and what Metadata throws when it cannot be read. */
export async function verifyStore(parts: VerifyParts, options: VerifyOptions): Promise<VerifyReport> {
  const { from } = options;
  const findings: Finding[] = [...(from?.findings ?? [])];
  const counts = { blobs: from?.blobs ?? 0, bytes: from?.bytes ?? 0, manifests: from?.manifests ?? 0 };
  const found: VerifyRun["found"] = (kind, what, outcome = {}) =>
    findings.push({ kind, what, isRepaired: false, ...outcome });
  const place = (after: string) => options.onPlace?.({ ...counts, findings: [...findings], after });
  const work: VerifyRun = { ...parts, options, found, counts, place, done: 0, total: 0 };
  for (const { run } of STEPS) await run(work);
  options.onProgress?.({ done: work.total, total: work.total });
  const isSound = findings.every(({ kind, isRepaired }) => isRepaired || kind === "stranger");
  return { ...counts, findings: inPlaceOf(findings), isSound };
}

/** Something in the place of a missing blob is one finding, that of the blob: unlike other strangers it is moved away by a repair. */
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

async function addUp(work: VerifyRun): Promise<void> {
  try {
    for await (const { digest, size } of work.store.list()) {
      if (!isMeant(work, digest)) continue;
      work.total += size;
      if (digest <= (work.options.from?.after ?? "")) work.done += size;
    }
  } catch {
    // It is reported when the blobs are hashed.
  }
}

async function verifyManifests(work: VerifyRun): Promise<void> {
  const { metadata, damage, options } = work;
  if (options.from !== undefined) return;
  for (let after = ""; ; ) {
    checkAborted(options.signal);
    const manifests = await metadata.manifestsAfter(after, MANIFESTS_AT_ONCE);
    for (const manifest of manifests) {
      if (!isMeant(work, manifest.digest)) after = manifest.digest;
      else if (isSoundManifest(manifest)) work.counts.manifests += 1;
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

/** One after another: more at once would be slower for a hard disk, and there is one thread for hashing. */
async function verifyBlobs(work: VerifyRun): Promise<void> {
  const { metadata, store: blobs } = work;
  const listening = {
    onStranger: (path: string) => work.found("stranger", path),
    onFailure: (error: unknown) => work.found("unreadable", "blobs", { reason: messageOf(error) }),
  };
  const { from, isMeant: meant } = work.options;
  // What is no blob was told by the run that began, and belongs to no name.
  const isTelling = from === undefined && meant === undefined;
  const heard = isTelling ? listening : { ...listening, onStranger: () => undefined };
  for await (const item of inventory({ metadata, blobs }, heard, from?.after)) {
    checkAborted(work.options.signal);
    if (!isMeant(work, item.digest)) continue;
    if (item.file === undefined) await findMissing(work, item.digest);
    else await verifyPinned(work, item, item.file);
    work.place(item.digest);
  }
}

function isMeant({ options }: VerifyRun, digest: Digest): boolean {
  return options.isMeant?.(digest) ?? true;
}

async function verifyPinned(work: VerifyRun, item: Item, { size }: ListedBlob): Promise<void> {
  const before = work.done;
  const release = work.pins.pin(item.digest);
  try {
    await verifyBlob(work, item);
  } finally {
    release();
  }
  work.done = before + size;
  work.options.onProgress?.({ done: work.done, total: Math.max(work.done, work.total) });
}

async function verifyBlob(work: VerifyRun, item: Item): Promise<void> {
  const { digest } = item;
  let stored: StoredBlob | undefined;
  try {
    stored = await work.store.open(digest);
    if (stored !== undefined) await verifyOpened(work, stored, item);
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

async function verifyOpened(work: VerifyRun, stored: StoredBlob, { row: before, file }: Item): Promise<void> {
  const { metadata, store, sound, pins, clock, counts } = work;
  const { digest, size } = stored;
  const isRight = await verdictOf(work, await stored.verify(work.options.pace));
  if (pins.isFilled(digest)) return;
  // A fill that has ended meanwhile has given it a row.
  const row = before ?? (await metadata.blob(digest));
  if (!isRight) {
    const kind = row !== undefined && row.size !== size ? "wrong-size" : "damaged-blob";
    const reason = kind === "wrong-size" ? `it has ${size} bytes` : "its bytes hash to another digest";
    return await repaired(work, kind, digest, () => sound.setAsideUnsound(stored, reason));
  }
  counts.blobs += 1;
  counts.bytes += size;
  const verifiedAt = clock.now();
  if (row?.size === size) return await metadata.recordVerified(digest, verifiedAt);
  // It was evicted while it was hashed: then it has no row for that reason.
  if (pins.isLeaving(digest) || (await store.stat(digest)) === undefined) return;
  const usedAt = row?.usedAt ?? file?.changedAt ?? 0;
  await repaired(work, "unregistered", digest, () =>
    metadata.recordBlob({ digest, size, usedAt, verifiedAt }),
  );
}

/** The verdict. Reports progress meanwhile, and ends the hashing when the signal aborts. */
async function verdictOf(work: VerifyRun, verification: Verification): Promise<boolean> {
  const { clock, options } = work;
  const { signal, onProgress } = options;
  const stop = () => verification.stop();
  const tell = () => {
    onProgress?.({ done: work.done + verification.done, total: work.total });
    timer = clock.after(TOLD_EVERY_MS, tell);
  };
  let timer = clock.after(TOLD_EVERY_MS, tell);
  signal?.addEventListener("abort", stop);
  if (options.pace === undefined) verification.hurry();
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

async function findMissing(work: VerifyRun, digest: Digest): Promise<void> {
  const absence = await absenceOf(work, digest);
  if (absence !== undefined) await repaired(work, "missing", digest, absence);
}

/** What repairs the row of a blob whose file is missing; undefined when it is not missing after all. */
async function absenceOf(work: VerifyRun, digest: Digest): Promise<(() => Promise<void>) | undefined> {
  const { store, metadata, sound, pins } = work;
  if (pins.isFilled(digest) || (await metadata.blob(digest)) === undefined) return undefined;
  try {
    return (await store.stat(digest)) === undefined ? () => metadata.forgetBlobs([digest]) : undefined;
  } catch (error) {
    // An error of the system does not mean that it is missing; without one, something else lies in its place.
    if (!isGranaryError(error, "store-damaged") || error.cause !== undefined) return undefined;
    return async () => void (await sound.dropDamaged(digest, error));
  }
}

/** Notes a finding; when repair was asked for, after `mend`. */
async function repaired(
  work: VerifyRun,
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
