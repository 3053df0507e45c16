/**
 * Owns the regular work for a whole fleet, which one of its nodes does: the bucket keeps its budget, what has left goes from it, old news and dead
 * nodes go from the database, and a database that was lost is filled from the bucket. It must not fail: what cannot be done is done with the next round.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { ContentRemoval } from "../../metadata/content-removal.ts";
import type { Bucket } from "../bucket.ts";
import { BucketJanitor, type BucketJanitorParts } from "./bucket-janitor.ts";
import { rebuildRows } from "./rebuild.ts";

export type FleetUpkeepParts = BucketJanitorParts & {
  /** Bytes that the bucket may hold. */
  readonly maxSize: number;
  /** Digests of names that have left. */
  readonly leaving: Pick<ContentRemoval, "stillLeaving" | "haveLeft">;
  /** What the database need not keep any more. */
  readonly prune: () => Promise<void>;
};

const PAGE = 500;
/** The object that names the database which knows this bucket. */
const MARK = "database";
const MOST_MARK_BYTES = 256;
const MARK_MS = 10_000;

export class FleetUpkeep {
  readonly #parts: FleetUpkeepParts;
  readonly #janitor: BucketJanitor;
  /** The database that was looked at last. */
  #known: string | undefined;

  constructor(parts: FleetUpkeepParts) {
    this.#parts = parts;
    this.#janitor = new BucketJanitor(parts);
  }

  /** Never rejects. */
  async round(): Promise<void> {
    try {
      await this.#rebuildIfOther();
      await this.#letLeave();
      await this.#janitor.round(this.#parts.maxSize);
      await this.#parts.prune();
    } catch (error) {
      if (isGranaryError(error, "fleet-unavailable", "closed", "aborted")) return;
      this.#parts.log.error(
        { reason: messageOf(error) },
        "the upkeep of the fleet failed: it is tried again in a minute",
      );
    }
  }

  /** The bucket says which database knew its objects last: another one was made anew, or brought back from a copy. */
  async #rebuildIfOther(): Promise<void> {
    const { rows, bucket, log } = this.#parts;
    const identity = await rows.identity();
    if (identity === this.#known || identity === (await markOf(bucket))) {
      this.#known = identity;
      return;
    }
    const rebuilt = await rebuildRows(this.#parts);
    if (rebuilt === undefined) return;
    await bucket.put(MARK, Buffer.from(identity));
    if (rebuilt.restored > 0)
      log.warn(
        rebuilt,
        "the database of the fleet did not know what its bucket holds: rows were made of what is there",
      );
  }

  /** A row for them may have come back meanwhile: a link of any repository keeps an object. */
  async #letLeave(): Promise<void> {
    const { leaving, rows } = this.#parts;
    for (
      let page = await leaving.stillLeaving("", PAGE);
      page.length > 0;
      page = await leaving.stillLeaving("", PAGE)
    ) {
      await rows.doomUnneeded(page);
      await leaving.haveLeft(page);
    }
  }
}

async function markOf(bucket: Bucket): Promise<string | undefined> {
  const range = { start: 0, end: MOST_MARK_BYTES };
  const opened = await bucket.open(MARK, range, AbortSignal.timeout(MARK_MS));
  if (opened === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of opened.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
