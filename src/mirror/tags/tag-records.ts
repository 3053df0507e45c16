/**
 * Owns what is known of tags: the record of each, in memory and behind that in Metadata, and whether it is still fresh. It asks no
 * upstream.
 */
import { LRUCache } from "lru-cache";
import type { Metadata, TagKey, TagRecord } from "../../metadata/metadata.ts";
import { isYoungerThan } from "../../observe/age.ts";
import type { Clock } from "../../observe/clock.ts";
import type { ManifestHead } from "../../source.ts";
import type { UpstreamClient } from "../../upstream/upstream-client.ts";
import { mostEntries } from "../../waiting/expiry.ts";
import { lifetimeOf } from "./tag-lifetime.ts";

/**
 * `checkedHere`: when this process checked it, of the clock's `elapsed`; undefined when an earlier process did. `expiries`: as of the question
 * that was answered; none of another process's counts here.
 */
export type RememberedTag = {
  readonly record: TagRecord;
  readonly checkedHere: number | undefined;
  readonly expiries: number;
};

const MOST_IN_MEMORY = 10_000;
const MOST_EXPIRED = 10_000;

export class TagRecords {
  readonly #metadata: Metadata;
  readonly #clock: Clock;
  readonly #inMemory = new LRUCache<string, RememberedTag>(mostEntries(MOST_IN_MEMORY));

  /** Tags that are not believed any more, and as the how manieth of all they were expired: times of a clock can be equal. */
  readonly #expired = new LRUCache<string, number>(mostEntries(MOST_EXPIRED));

  #expiries = 0;

  constructor(metadata: Metadata, clock: Clock) {
    this.#metadata = metadata;
    this.#clock = clock;
  }

  async find(key: TagKey): Promise<RememberedTag | undefined> {
    return this.#inMemory.get(nameOf(key)) ?? (await this.#stored(key));
  }

  /** What is stored of it now, if that is fresh: another node may have asked. */
  async toldByOthers(client: UpstreamClient, key: TagKey): Promise<TagRecord | undefined> {
    this.#inMemory.delete(nameOf(key));
    const known = await this.#stored(key);
    return known !== undefined && this.isFresh(client, known) ? known.record : undefined;
  }

  /** The same, as far as it is in memory. */
  remembered(key: TagKey): RememberedTag | undefined {
    return this.#inMemory.get(nameOf(key));
  }

  /** How many tags were expired so far. */
  get expiries(): number {
    return this.#expiries;
  }

  /** The upstream has said what the tag means, to a question as of `expiries`. One that was imported stays so, as long as the upstream names the same digest. */
  async record(
    key: TagKey & Pick<Partial<TagRecord>, "digest" | "importedAt">,
    { digest, mediaType, size }: ManifestHead,
    expiries: number,
  ): Promise<TagRecord> {
    const newer = this.#inMemory.get(nameOf(key));
    // An answer that took its time is older than that to a later question.
    if (newer !== undefined && newer.expiries > expiries) return newer.record;
    const { upstream, repository, tag, acceptClass, importedAt } = key;
    const checkedAt = this.#clock.now();
    const isSame = key.digest === digest && importedAt !== undefined;
    const mark = isSame ? { importedAt: Math.min(importedAt, checkedAt - 1) } : {};
    const record = { upstream, repository, tag, acceptClass, digest, mediaType, size, checkedAt, ...mark };
    await this.#metadata.recordTag(record);
    this.#inMemory.set(nameOf(key), { record, checkedHere: this.#clock.elapsed(), expiries });
    return record;
  }

  async forget(key: TagKey): Promise<void> {
    this.#inMemory.delete(nameOf(key));
    await this.#metadata.forgetTag(key);
  }

  /** Its row was deleted. */
  forgetHere(key: TagKey): void {
    this.#inMemory.delete(nameOf(key));
  }

  /** What is known of the tag is not fresh any more, for whatever clients; it is still served while the upstream cannot be asked. */
  expire({ upstream, repository, tag }: Omit<TagKey, "acceptClass">): void {
    this.#expiries += 1;
    this.#expired.set(nameOf({ upstream, repository, tag, acceptClass: "" }), this.#expiries);
  }

  /** As the how manieth the tag was expired last; undefined where it never was. */
  expiryOf({ upstream, repository, tag }: TagKey): number | undefined {
    return this.#expired.get(nameOf({ upstream, repository, tag, acceptClass: "" }));
  }

  /** Its row was written by somebody else: it is read again. */
  forgetMemory(key: TagKey): void {
    this.#inMemory.delete(nameOf(key));
  }

  /**
   * Whether it may be used without asking the upstream. It must be young by the date, which counts over a restart and may be set wrong, and
   * by the time that has passed in this process, which nobody sets. What was imported is not fresh before the upstream was asked.
   */
  isFresh(client: UpstreamClient, { record, checkedHere, expiries }: RememberedTag): boolean {
    if (isUnasked(record) || this.#isExpired(record, expiries)) return false;
    const lifetimeMs = lifetimeOf(record.tag, client);
    if (!isYoungerThan(lifetimeMs, record.checkedAt, this.#clock.now())) return false;
    return checkedHere === undefined || isYoungerThan(lifetimeMs, checkedHere, this.#clock.elapsed());
  }

  #isExpired(record: TagRecord, expiries: number): boolean {
    // Nearly always: then no name has to be made.
    if (this.#expired.size === 0) return false;
    return (this.expiryOf(record) ?? 0) > expiries;
  }

  async #stored(key: TagKey): Promise<RememberedTag | undefined> {
    const record = await this.#metadata.tag(key);
    // No manifest is empty; older versions of Granary believed a HEAD that said so.
    if (record === undefined || record.size === 0) return undefined;
    const known = { record, checkedHere: undefined, expiries: 0 };
    this.#inMemory.set(nameOf(key), known);
    return known;
  }
}

/** It was imported, and its upstream was not asked since. */
export function isUnasked({ importedAt, checkedAt }: TagRecord): boolean {
  return importedAt !== undefined && checkedAt <= importedAt;
}

/** One text for each key. */
export function nameOf({ upstream, repository, tag, acceptClass }: TagKey): string {
  return `${upstream}\n${repository}\n${tag}\n${acceptClass}`;
}
