/**
 * Owns the answers that are given from what is stored because its upstream could not be asked, or says that the tag is gone: each says why it
 * may be old. A check that failed is not made again for a while, and everybody who asks meanwhile gets the same warning. It asks no upstream
 * and forgets no tag.
 */
import { LRUCache } from "lru-cache";
import { formatDuration } from "../../bytes/units.ts";
import { type GranaryError, messageOf, reasonOf } from "../../errors.ts";
import type { TagKey, TagRecord } from "../../metadata/metadata.ts";
import { formatAge } from "../../observe/age.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Episodes } from "../../observe/episodes.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";
import { TAG_RETRIES } from "../../waiting/retry-numbers.ts";
import type { ResolvedTag } from "./resolved-tag.ts";
import { isUnasked, nameOf } from "./tag-records.ts";

const MOST_FAILED = 10_000;

export class StaleTags {
  readonly #clock: Clock;
  readonly #episodes: Episodes;
  /** Checks that failed a moment ago, with the warning of the answers that are given meanwhile. */
  readonly #failed: LRUCache<string, string>;

  constructor(clock: Clock, episodes: Episodes) {
    this.#clock = clock;
    this.#episodes = episodes;
    this.#failed = new LRUCache<string, string>({ ...mostEntries(MOST_FAILED), ...expiringBy(clock) });
  }

  /** The answer where a check failed a moment ago; undefined where the upstream is to be asked. */
  remembered(record: TagRecord): ResolvedTag | undefined {
    const warning = this.#failed.get(nameOf(record));
    return warning === undefined ? undefined : stale(record, warning);
  }

  /** For who has waited until the deadline. The check goes on, so nothing is remembered of it. */
  late(record: TagRecord, deadlineMs: number): ResolvedTag {
    return stale(record, this.#notAsked(record, `no answer within ${formatDuration(deadlineMs)}`));
  }

  /** A person has set the upstream offline. That is remembered nowhere else, so that the tag is checked as soon as the upstream is set back. */
  offline(record: TagRecord, refusal: GranaryError): ResolvedTag {
    return stale(record, this.#notAsked(record, reasonOf(refusal)));
  }

  /** The check failed with `error`. */
  failed(record: TagRecord, error: unknown): ResolvedTag {
    const tag = `${record.upstream}/${record.repository}:${record.tag}`;
    const facts = { tag, reason: messageOf(error) };
    this.#episodes.trouble(`stored tags of ${record.upstream}`, facts, "serving a stored tag");
    return this.#staleFor(TAG_RETRIES.recheckMs, record, this.#notAsked(record, reasonOf(error)));
  }

  /** The upstream says that the tag is not there; after `ms` it is asked whether that is still so. */
  askedOnceMore(record: TagRecord, ms: number): ResolvedTag {
    const said = `stale: ${record.upstream} says that this tag is not there, and will be asked once more`;
    return this.#staleFor(ms, record, this.#withAge(record, said));
  }

  /** The upstream does not have what was imported; for `ms` it is not asked again. */
  staysImported(record: TagRecord, ms: number): ResolvedTag {
    const said = `stale: ${record.upstream} says that this tag is not there; it was imported, and stays`;
    return this.#staleFor(ms, record, said);
  }

  /** The upstream has told what the tag means, or the tag is to be checked again: no failure of before counts any more. */
  over(key: TagKey): void {
    this.#failed.delete(nameOf(key));
  }

  #staleFor(ms: number, record: TagRecord, warning: string): ResolvedTag {
    this.#failed.set(nameOf(record), warning, { ttl: ms });
    return stale(record, warning);
  }

  #notAsked(record: TagRecord, reason: string): string {
    return this.#withAge(record, `stale: ${record.upstream} could not be asked (${reason})`);
  }

  #withAge(record: TagRecord, text: string): string {
    const what = isUnasked(record) ? "imported" : "checked";
    return `${text}; this was ${what} ${formatAge(record.checkedAt, this.#clock.now())}`;
  }
}

function stale(record: TagRecord, warning: string): ResolvedTag {
  return { record, outcome: "stale", warning };
}
