/**
 * Owns what was learned and could not be written: in the order in which it came, the last word of each row, in bounded memory.
 * What does not fit is forgotten oldest first: all of it can be learned again. It writes nothing itself.
 */
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import { changesWith } from "./link-change.ts";
import type {
  BlobRecord,
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

/** A row that waits; `undefined` inside means that it was forgotten. */
export type Waiting<V> = { readonly value: V | undefined };

type Entry = { readonly bytes: number; readonly write: Write; readonly drop: () => void };

type Write = (to: Metadata) => Promise<void>;

/** Memory for rows that wait, and how many there may be. */
const MOST_BYTES = 64 * 1024 * 1024;
const MOST_ROWS = 100_000;
/** What a row without a document takes, roughly. */
const ROW_BYTES = 300;

export class Unwritten {
  readonly blobs = new Map<Digest, Waiting<BlobRecord>>();
  readonly manifests = new Map<Digest, Waiting<Manifest>>();
  readonly tags = new Map<string, Waiting<TagRecord>>();
  /** What is to be done to the links that were written. */
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

  /** Rows that did not fit since this was asked last. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** Tags of one repository that wait. */
  tagsOf({ upstream, repository }: RepositoryKey): string[] {
    const records = [...this.tags.values()].flatMap(({ value }) => value ?? []);
    return records
      .filter((record) => record.upstream === upstream && record.repository === repository)
      .map(({ tag }) => tag);
  }

  /** Oldest first, also those that come meanwhile: `write` each, then say that it is `done`. */
  *rows(): Generator<{ readonly write: Write; done(): void }> {
    for (const [key, entry] of this.#entries) {
      const done = () => {
        if (this.#entries.get(key) === entry) this.#remove(key);
      };
      yield { write: entry.write, done };
    }
  }

  holdBlob(digest: Digest, value: BlobRecord | undefined): void {
    const write: Write = (to) => (value === undefined ? to.forgetBlob(digest) : to.recordBlob(value));
    this.#hold(this.blobs, "blob", digest, value, write);
  }

  /** Uses after `now` become ones just before `before`, in the order that they had. */
  clampUses(now: number, before: number): void {
    const records = [...this.blobs.values()].flatMap(({ value }) => value ?? []);
    const future = records.filter(({ usedAt }) => usedAt > now).sort((a, b) => a.usedAt - b.usedAt);
    for (const [index, blob] of future.entries())
      this.holdBlob(blob.digest, { ...blob, usedAt: before - future.length + index });
  }

  holdManifest(where: RepositoryKey, manifest: Manifest, listed: readonly Listed[]): void {
    const { digest, bytes, mediaType } = manifest;
    // One entry for each repository: each of them has its own links, and all come in one transaction.
    const key = `manifest ${linkKey(where, digest)}`;
    this.manifests.set(digest, { value: manifest });
    const own = { kind: "confirmed", digest, size: bytes.length, isMeasured: true, mediaType } as const;
    const changes = [own, ...listed.map((each) => ({ kind: "stated", ...each }) as const)];
    const keys = changes.map((change) => this.#change(where, change));
    const drop = () => {
      this.manifests.delete(digest);
      for (const at of keys) if (!this.#entries.has(`link ${at}`)) this.links.delete(at);
    };
    const cost = bytes.length + keys.length * ROW_BYTES;
    this.#add(key, { bytes: cost, write: (to) => to.recordManifest(where, manifest, listed), drop });
  }

  holdNoManifest(digest: Digest): void {
    this.#hold(this.manifests, "no manifest", digest, undefined, (to) => to.forgetManifest(digest));
  }

  holdTag(key: TagKey, value: TagRecord | undefined): void {
    const write: Write = (to) => (value === undefined ? to.forgetTag(key) : to.recordTag(value));
    this.#hold(this.tags, "tag", tagKey(key), value, write);
  }

  holdLink(where: RepositoryKey, change: LinkChange): void {
    const at = this.#change(where, change);
    const changes = this.links.get(at) ?? [];
    const write: Write = async (to) => {
      for (const each of changes) await to.recordLink(where, each);
    };
    this.#add(`link ${at}`, { bytes: ROW_BYTES, write, drop: () => this.links.delete(at) }, () =>
      this.links.set(at, changes),
    );
  }

  holdVisibility(where: RepositoryKey, value: Visibility): void {
    const write: Write = (to) => to.recordVisibility(where, value);
    this.#hold(this.visibilities, "visibility", repositoryKey(where), value, write);
  }

  holdList(key: ListKey, value: ListRecord | undefined): void {
    const write: Write = (to) => (value === undefined ? to.forgetList(key) : to.recordList(value));
    this.#hold(this.lists, "list", listKey(key), value, write, value?.body.length);
  }

  /** All uses are one row: they are written in one batch. */
  holdUses(uses: ReadonlyMap<Digest, number>): void {
    for (const [digest, usedAt] of uses)
      this.uses.set(digest, Math.max(usedAt, this.uses.get(digest) ?? usedAt));
    const batch = new Map(this.uses);
    const bytes = batch.size * ROW_BYTES;
    this.#add("uses", { bytes, write: (to) => to.touch(batch), drop: () => this.uses.clear() });
  }

  #change(where: RepositoryKey, change: LinkChange): string {
    const at = linkKey(where, change.digest);
    this.links.set(at, changesWith(this.links.get(at) ?? [], change));
    return at;
  }

  #hold<K extends string, V>(
    rows: Map<K, Waiting<V>>,
    kind: string,
    key: K,
    value: V | undefined,
    write: Write,
    more = 0,
  ): void {
    this.#add(`${kind} ${key}`, { bytes: ROW_BYTES + more, write, drop: () => rows.delete(key) }, () =>
      rows.set(key, { value }),
    );
  }

  /** The newest of its key; `show` makes it visible to those who look. */
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
