/**
 * Owns rows that could not be written to the database and wait for that: in the order in which they came, the newest of each, in bounded
 * memory. When that is full the oldest are dropped: all of it can be learned again. It writes nothing itself.
 */
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import { changesWith } from "./link-change.ts";
import type {
  BlobRecord,
  KnownTag,
  LinkChange,
  Listed,
  ListKey,
  ListRecord,
  Metadata,
  RepositoryKey,
  TagKey,
  TagRecord,
  Visibility,
} from "./metadata.ts";

/** A row that waits; `value` is undefined when the row is to be deleted. */
export type Waiting<V> = { readonly value: V | undefined };

/** One change of Metadata: it is written at once, or waits. */
export type Change = {
  readonly write: (to: Metadata) => Promise<void>;
  /** Called when it could not be written: from now on it can be read here, and `rows` gives it out to be written. */
  readonly wait: () => void;
};

type Entry = { readonly bytes: number; readonly write: Change["write"]; readonly drop: () => void };

/** Memory for rows that wait, and how many there may be. */
const MOST_BYTES = 64 * 1024 * 1024;
const MOST_ROWS = 100_000;
/** What a row without a document takes, roughly. */
const ROW_BYTES = 300;

export class Unwritten {
  readonly blobs = new Map<Digest, Waiting<BlobRecord>>();
  readonly manifests = new Map<Digest, Waiting<Manifest>>();
  readonly tags = new Map<string, Waiting<TagRecord>>();
  /** Changes to links, to be applied to what the database has. */
  readonly links = new Map<string, readonly LinkChange[]>();
  readonly visibilities = new Map<string, Waiting<Visibility>>();
  readonly lists = new Map<string, Waiting<ListRecord>>();
  readonly uses = new Map<Digest, number>();
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #dropped = 0;

  get count(): number {
    return this.#entries.size;
  }

  /** Rows that were dropped since this was asked last. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** Tags of one repository that wait. */
  tagsOf({ upstream, repository }: RepositoryKey): KnownTag[] {
    const records = [...this.tags.values()].flatMap(({ value }) => value ?? []);
    return records.filter((record) => record.upstream === upstream && record.repository === repository);
  }

  /** Oldest first, also those that come meanwhile: `write` each, then say that it is `done`. */
  *rows(): Generator<{ readonly write: Change["write"]; done(): void }> {
    for (const [key, entry] of this.#entries) {
      const done = () => {
        if (this.#entries.get(key) === entry) this.#remove(key);
      };
      yield { write: entry.write, done };
    }
  }

  blob(value: BlobRecord): Change {
    return this.#row(this.blobs, "blob", value.digest, value, (to) => to.recordBlob(value));
  }

  noBlobs(digests: readonly Digest[]): Change {
    const rows = digests.map((digest) =>
      this.#row(this.blobs, "blob", digest, undefined, (to) => to.forgetBlobs([digest])),
    );
    const wait = () => {
      for (const row of rows) row.wait();
    };
    return { write: (to) => to.forgetBlobs(digests), wait };
  }

  /** Uses after `now` become ones just before `before`, in the order that they had. */
  clampUses(now: number, before: number): void {
    const records = [...this.blobs.values()].flatMap(({ value }) => value ?? []);
    const future = records.filter(({ usedAt }) => usedAt > now).sort((a, b) => a.usedAt - b.usedAt);
    for (const [index, blob] of future.entries())
      this.blob({ ...blob, usedAt: before - future.length + index }).wait();
  }

  manifest(where: RepositoryKey, manifest: Manifest, listed: readonly Listed[]): Change {
    const write: Change["write"] = (to) => to.recordManifest(where, manifest, listed);
    return { write, wait: () => this.#waitWithManifest(where, manifest, listed, write) };
  }

  noManifest(digest: Digest): Change {
    const write: Change["write"] = (to) => to.forgetManifest(digest);
    return this.#row(this.manifests, "no manifest", digest, undefined, write);
  }

  tag(key: TagKey, value: TagRecord | undefined): Change {
    const write: Change["write"] = (to) => (value === undefined ? to.forgetTag(key) : to.recordTag(value));
    return this.#row(this.tags, "tag", tagKey(key), value, write);
  }

  link(where: RepositoryKey, change: LinkChange): Change {
    return { write: (to) => to.recordLink(where, change), wait: () => this.#waitWithLink(where, change) };
  }

  visibility(where: RepositoryKey, value: Visibility): Change {
    const write: Change["write"] = (to) => to.recordVisibility(where, value);
    return this.#row(this.visibilities, "visibility", repositoryKey(where), value, write);
  }

  list(key: ListKey, value: ListRecord | undefined): Change {
    const write: Change["write"] = (to) => (value === undefined ? to.forgetList(key) : to.recordList(value));
    return this.#row(this.lists, "list", listKey(key), value, write, value?.body.length);
  }

  /** All uses wait as one row, and are written in one batch. */
  used(uses: ReadonlyMap<Digest, number>): Change {
    return { write: (to) => to.touch(uses), wait: () => this.#waitWithUses(uses) };
  }

  #waitWithUses(uses: ReadonlyMap<Digest, number>): void {
    for (const [digest, usedAt] of uses)
      this.uses.set(digest, Math.max(usedAt, this.uses.get(digest) ?? usedAt));
    const batch = new Map(this.uses);
    const bytes = batch.size * ROW_BYTES;
    this.#add("uses", { bytes, write: (to) => to.touch(batch), drop: () => this.uses.clear() });
  }

  #waitWithManifest(
    where: RepositoryKey,
    manifest: Manifest,
    listed: readonly Listed[],
    write: Change["write"],
  ): void {
    const { digest, bytes, mediaType } = manifest;
    this.manifests.set(digest, { value: manifest });
    const own = { kind: "confirmed", digest, size: bytes.length, isMeasured: true, mediaType } as const;
    const changes = [own, ...listed.map((each) => ({ kind: "stated", ...each }) as const)];
    const keys = changes.map((change) => this.#change(where, change));
    const drop = () => {
      this.manifests.delete(digest);
      for (const at of keys) if (!this.#entries.has(`link ${at}`)) this.links.delete(at);
    };
    // One entry for each repository: each has its own links, and they are written with the manifest in one transaction.
    const key = `manifest ${linkKey(where, digest)}`;
    this.#add(key, { bytes: bytes.length + keys.length * ROW_BYTES, write, drop });
  }

  #waitWithLink(where: RepositoryKey, change: LinkChange): void {
    const at = this.#change(where, change);
    const changes = this.links.get(at) ?? [];
    const write: Change["write"] = async (to) => {
      for (const each of changes) await to.recordLink(where, each);
    };
    this.#add(`link ${at}`, { bytes: ROW_BYTES, write, drop: () => this.links.delete(at) }, () =>
      this.links.set(at, changes),
    );
  }

  #change(where: RepositoryKey, change: LinkChange): string {
    const at = linkKey(where, change.digest);
    this.links.set(at, changesWith(this.links.get(at) ?? [], change));
    return at;
  }

  #row<K extends string, V>(
    rows: Map<K, Waiting<V>>,
    kind: string,
    key: K,
    value: V | undefined,
    write: Change["write"],
    more = 0,
  ): Change {
    const entry = { bytes: ROW_BYTES + more, write, drop: () => rows.delete(key) };
    return { write, wait: () => this.#add(`${kind} ${key}`, entry, () => rows.set(key, { value })) };
  }

  /** Replaces an earlier entry of `key`; `show` lets readers find it. */
  #add(key: string, entry: Entry, show: () => void = () => undefined): void {
    const earlier = this.#entries.get(key);
    if (earlier !== undefined) {
      this.#bytes -= earlier.bytes;
      this.#entries.delete(key);
    }
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
    show();
    while (this.#entries.size > MOST_ROWS || (this.#bytes > MOST_BYTES && this.#entries.size > 1)) {
      const [oldest] = this.#entries.keys();
      if (oldest === undefined) return;
      this.#remove(oldest);
      this.#dropped += 1;
    }
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    entry.drop();
  }
}

export function repositoryKey({ upstream, repository }: RepositoryKey): string {
  return `${upstream}\n${repository}`;
}

export function linkKey(where: RepositoryKey, digest: Digest): string {
  return `${repositoryKey(where)}\n${digest}`;
}

export function tagKey({ upstream, repository, tag, acceptClass }: TagKey): string {
  return `${upstream}\n${repository}\n${tag}\n${acceptClass}`;
}

export function listKey({ kind, name, ...where }: ListKey): string {
  return `${repositoryKey(where)}\n${kind}\n${name}`;
}
