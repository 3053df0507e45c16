/**
 * Owns the run of an import: a bundle comes in as a stream, what is missing of it is taken in blob by blob, and each name is recorded at once
 * when all of it is stored. Nothing is served by a name before that, however the run ends; what was stored by then is not copied again.
 */
import { formatBytes } from "../../bytes/units.ts";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import type { Metadata, TagKey, TagRecord } from "../../metadata/metadata.ts";
import type { Digest } from "../../oci/digest.ts";
import { throwIfAborted } from "../../waiting/abort.ts";
import type { Links } from "../access/links.ts";
import type { Reservation } from "../space/space.ts";
import type { Uses } from "../space/uses.ts";
import { type BundleHead, type IncomingBlob, readBundleHead } from "./bundle-head.ts";
import type { ImportedName, ImportReport } from "./import-report.ts";
import { type PlannedName, type PlanOptions, type PlanParts, planNames, tagKeyOf } from "./planned-name.ts";
import { importKey, type TakeInParts, takeIn } from "./take-in.ts";

export type ImportsParts = TakeInParts &
  PlanParts & {
    readonly metadata: Metadata;
    readonly links: Pick<Links, "imported">;
    readonly uses: Pick<Uses, "touch">;
    /** A name is there now that was not, or stood for something else: what was remembered of it is over. */
    readonly forget: (key: TagKey | undefined) => void;
  };

export type ImportOptions = PlanOptions & {
  /** Says what would be done. It reads no further than the bundle's own manifests. */
  readonly dryRun: boolean;
  readonly signal?: AbortSignal;
  /** In bytes of blobs that are to be copied, and in names. Called now and then. */
  readonly onProgress?: (progress: ImportProgress) => void;
};

type ImportProgress = {
  readonly bytes: { readonly done: number; readonly total: number };
  readonly things: { readonly done: number; readonly total: number };
};

export interface Imports {
  /**
   * Imports the bundle in `chunks`: an OCI layout in a tar, with index.json and manifests before all other blobs. What speaks against one name
   * stands in the report, and does not stop the others. Throws `manifest-invalid` for what is no bundle, `reference-invalid` for a
   * name in `as` that cannot be used, `aborted`, `closed`, and what `chunks` throws.
   */
  run(chunks: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<ImportReport>;
}

export function createImports(parts: ImportsParts): Imports {
  return {
    run: async (chunks, options) => {
      const head = await readBundleHead(chunks);
      try {
        const names = await planNames(head, parts, options);
        const run = new ImportRun(parts, head, names, options);
        return options.dryRun ? await run.preview() : await run.work();
      } finally {
        await head.blobs.return(undefined);
      }
    },
  };
}

class ImportRun {
  readonly #parts: ImportsParts;
  readonly #head: BundleHead;
  readonly #names: readonly PlannedName[];
  readonly #options: ImportOptions;
  /** What is to be copied, in bytes. */
  readonly #wanted = new Map<Digest, number>();
  readonly #reserved = new Map<Digest, Reservation>();
  readonly #pins: (() => void)[] = [];
  readonly #damaged = new Set<Digest>();
  #copied = 0;
  #came = 0;
  #total = 0;

  constructor(parts: ImportsParts, head: BundleHead, names: readonly PlannedName[], options: ImportOptions) {
    this.#parts = parts;
    this.#head = head;
    this.#names = names;
    this.#options = options;
    for (const digest of head.damaged) this.#damaged.add(digest);
  }

  async work(): Promise<ImportReport> {
    try {
      for (const name of this.#open) await this.#hold(name);
      this.#total = [...this.#wanted.values()].reduce((sum, size) => sum + size, 0);
      await this.#recordWhole();
      for await (const blob of this.#head.blobs) {
        throwIfAborted(this.#options.signal, "the import");
        if (!this.#wanted.has(blob.digest)) continue;
        await this.#take(blob);
        await this.#recordWhole();
      }
      for (const name of this.#open) name.verdict = incomplete(name);
      return this.report();
    } finally {
      for (const release of this.#pins) release();
      for (const reservation of this.#reserved.values()) reservation.release();
    }
  }

  /** What `work` would report, as far as the manifests tell. */
  async preview(): Promise<ImportReport> {
    try {
      for (const { parts } of this.#open)
        for (const digest of parts.blobs.keys()) this.#pins.push(this.#parts.pins.pin(digest));
      if (!(await this.#isRoomFor(this.#open))) await this.#refuseWhatDoesNotFit();
      return this.report();
    } finally {
      for (const release of this.#pins) release();
    }
  }

  async #refuseWhatDoesNotFit(): Promise<void> {
    const fitting: PlannedName[] = [];
    for (const name of this.#open) {
      if (await this.#isRoomFor([...fitting, name])) fitting.push(name);
      else name.verdict = { outcome: "refused", reason: noRoom(bytesOf(name)) };
    }
  }

  async #isRoomFor(names: readonly PlannedName[]): Promise<boolean> {
    const together = new Map(names.flatMap(({ missing }) => [...missing]));
    const blobs = [...together].map(([digest, size]) => [importKey(digest), size] as const);
    return blobs.length === 0 || (await this.#parts.space.hasRoomFor(blobs));
  }

  report(): ImportReport {
    const present = new Map<Digest, number>();
    for (const { parts, missing } of this.#names)
      for (const [digest, size = 0] of parts.blobs) if (!missing.has(digest)) present.set(digest, size);
    return {
      names: this.#names.map((name) => reported(name)),
      copied: this.#copied,
      present: Math.max(0, [...present.values()].reduce((sum, size) => sum + size, 0) - this.#copied),
      damaged: [...this.#damaged],
      dryRun: this.#options.dryRun,
    };
  }

  /** Names on which nothing is decided yet. */
  get #open(): PlannedName[] {
    return this.#names.filter(({ verdict }) => verdict === undefined);
  }

  /** Pins what is here of the name, and keeps room for what is not, all of it or nothing. */
  async #hold(name: PlannedName): Promise<void> {
    const { pins, store } = this.#parts;
    for (const [digest, size = 0] of name.parts.blobs) {
      this.#pins.push(pins.pin(digest));
      // It may have been evicted since the plan was made.
      if ((await store.stat(digest)) === undefined) name.missing.set(digest, size);
    }
    const taken: [Digest, Reservation][] = [];
    for (const [digest, size] of name.missing) {
      if (this.#reserved.has(digest)) continue;
      const reservation = await this.#parts.space.reserve(importKey(digest), size);
      if (reservation === undefined) {
        for (const [, each] of taken) each.release();
        name.verdict = { outcome: "refused", reason: noRoom(bytesOf(name)) };
        return;
      }
      taken.push([digest, reservation]);
    }
    for (const [digest, reservation] of taken) this.#reserved.set(digest, reservation);
    for (const [digest, size] of name.missing) this.#wanted.set(digest, size);
  }

  async #take(blob: IncomingBlob): Promise<void> {
    const { digest } = blob;
    let own: Reservation | undefined;
    try {
      const expected = this.#wanted.get(digest);
      this.#wanted.delete(digest);
      if (expected !== 0 && expected !== blob.size) throw otherSize(digest, expected, blob.size);
      // Nobody has stated its size, so no room was kept for it.
      if (expected === 0) own = await this.#roomFor(blob);
      const came = (bytes: number) => {
        this.#came += bytes;
        this.#tell();
      };
      await takeIn(this.#parts, blob, { signal: this.#options.signal, came });
      this.#copied += blob.size;
      for (const { missing } of this.#names) missing.delete(digest);
    } catch (error) {
      if (!isGranaryError(error, "digest-mismatch", "size-mismatch", "store-full")) throw error;
      this.#spoil(digest, error);
    } finally {
      own?.release();
      this.#reserved.get(digest)?.release();
      this.#reserved.delete(digest);
    }
  }

  /** Throws `store-full`. */
  async #roomFor({ digest, size }: IncomingBlob): Promise<Reservation> {
    const reservation = await this.#parts.space.reserve(importKey(digest), size);
    if (reservation === undefined) throw new GranaryError("store-full", noRoom(size));
    return reservation;
  }

  /** Whatever needs that blob is not imported. */
  #spoil(digest: Digest, error: GranaryError): void {
    const isDamaged = error.code !== "store-full";
    if (isDamaged) this.#damaged.add(digest);
    const outcome = isDamaged ? "damaged" : "refused";
    for (const name of this.#open)
      if (name.missing.has(digest)) name.verdict = { outcome, reason: messageOf(error) };
  }

  /** Each name of which nothing is missing any more becomes visible, whole. */
  async #recordWhole(): Promise<void> {
    for (const name of this.#open) {
      if (name.missing.size > 0) continue;
      await this.#record(name);
      name.verdict = { outcome: "imported" };
      this.#tell();
    }
  }

  async #record({ where, tag, digest, parts }: PlannedName): Promise<void> {
    const { metadata, store, links, uses, forget, clock } = this.#parts;
    const blobs: { readonly digest: Digest; readonly size: number }[] = [];
    for (const blob of parts.blobs.keys()) {
      const found = await store.stat(blob);
      if (found === undefined) throw gone(blob);
      blobs.push({ digest: blob, size: found.size });
    }
    const key = tag === undefined ? undefined : tagKeyOf(where, tag);
    const root = parts.manifests.find(({ manifest }) => manifest.digest === digest)?.manifest;
    const now = clock.now();
    const { mediaType = "", bytes } = root ?? {};
    const record: TagRecord | undefined = key && {
      ...key,
      ...{ digest, mediaType, size: bytes?.length ?? 0, checkedAt: now, importedAt: now },
    };
    const manifests = parts.manifests.map(({ manifest, links: listed }) => ({ manifest, listed }));
    await metadata.recordImport({ where, manifests, blobs, tag: record });
    const digests = [...parts.manifests.map(({ manifest }) => manifest.digest), ...parts.blobs.keys()];
    links.imported(where, digests);
    for (const each of digests) uses.touch(each);
    forget(key);
  }

  #tell(): void {
    const done = this.#names.length - this.#open.length;
    this.#options.onProgress?.({
      bytes: { done: this.#came, total: this.#total },
      things: { done, total: this.#names.length },
    });
  }
}

function reported({ text, digest, verdict, before, size, missing, parts }: PlannedName): ImportedName {
  const { outcome, reason } = verdict ?? { outcome: "imported" as const };
  return {
    name: text,
    digest,
    outcome,
    ...(reason !== undefined && { reason }),
    ...(before !== undefined && { before }),
    size,
    missing: [...missing].map(([blob, bytes]) => ({ digest: blob, size: bytes })),
    absent: parts.absent.length,
  };
}

function incomplete({ missing }: PlannedName): PlannedName["verdict"] {
  const [first] = missing.keys();
  const more = missing.size > 1 ? ` and ${missing.size - 1} more` : "";
  return {
    outcome: "incomplete",
    reason: `The bundle lacks ${first}${more}, and it is not here either, or not for every client.`,
  };
}

/** Of what is not here. */
function bytesOf({ missing }: PlannedName): number {
  return [...missing.values()].reduce((sum, size) => sum + size, 0);
}

function noRoom(bytes: number): string {
  return `There is no room for ${formatBytes(bytes)} more: raise storage.maxSize, or free some of its disk.`;
}

function otherSize(digest: Digest, expected: number | undefined, found: number): GranaryError {
  const message = `The bundle has ${found} bytes for ${digest}, which has ${expected ?? "none"}: nothing of them was kept.`;
  return new GranaryError("size-mismatch", message, { found });
}

function gone(digest: Digest): GranaryError {
  return new GranaryError("store-damaged", `${digest} was here and is gone: somebody removes files there.`);
}
