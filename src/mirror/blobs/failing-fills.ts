/**
 * Owns that people hear once in a while of a blob that cannot be fetched, however often clients ask for it: they try again within seconds, each
 * time with a transfer that begins and fails. What succeeds is always told of. The log has all of them.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "../../observe/clock.ts";
import type { EventKind } from "../../records/event.ts";
import type { EventTeller } from "../../records/events.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";

/** After this time a failure is told of again. */
const TOLD_MS = 10 * 60_000;
const REMEMBERED = 2_000;
const FAILURES: readonly EventKind[] = ["fill-failed", "digest-mismatch"];

export class FailingFills {
  readonly #events: EventTeller;
  /** By upstream and digest: the failure that was told of. */
  readonly #told: LRUCache<string, EventKind>;

  constructor(events: EventTeller, clock: Clock) {
    this.#events = events;
    this.#told = new LRUCache({ ...mostEntries(REMEMBERED), ttl: TOLD_MS, ...expiringBy(clock) });
  }

  /** What a transfer of this blob tells goes through this. */
  tellerOf({ upstream, digest }: { readonly upstream: string; readonly digest: string }): EventTeller {
    const key = `${upstream}\n${digest}`;
    return {
      tell: (kind, text, facts) => {
        const told = this.#told.get(key);
        if (kind === told || (kind === "fill-begun" && told !== undefined)) return;
        if (FAILURES.includes(kind)) this.#told.set(key, kind);
        else if (kind === "fill-ended") this.#told.delete(key);
        this.#events.tell(kind, text, facts);
      },
    };
  }
}
