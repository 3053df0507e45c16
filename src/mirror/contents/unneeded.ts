/**
 * Owns that names leave by themselves when nothing needs them: a manifest that nobody asked for in a long time and of whose blobs none is here,
 * with its tags, links and lists. A tag's manifest goes only when its upstream has just answered a question: while it cannot be asked, what is
 * stored is all that there is. What a keep rule stands for stays. It removes no blob.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { RepositoryKey, TagKey } from "../../metadata/metadata.ts";
import type { UnneededRows } from "../../metadata/unneeded-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Digest } from "../../oci/digest.ts";
import { Slices } from "../../waiting/slices.ts";
import type { Keep } from "../rules/keep.ts";

export type UnneededParts = {
  readonly rows: UnneededRows;
  readonly keep: Pick<Keep, "isKept">;
  readonly forgetNames: (where: RepositoryKey, tags: readonly TagKey[], digests: readonly Digest[]) => void;
  /** Resolves when the upstream has answered for the tag, whatever it said; rejects when it cannot be asked now. */
  readonly askFor: (where: RepositoryKey, tag: string) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
};

/** After this time without a use, names may leave. */
const UNUSED_MS = 90 * 86_400_000;
/** In one sweep; the next goes on. */
const MOST_MANIFESTS = 1_000;
const MOST_QUESTIONS = 50;
const MOST_ROWS = 1_000;
const MOST_TAGS = 100_000;
const MOST_PARTS = 50_000;

export class Unneeded {
  readonly #parts: UnneededParts;

  constructor(parts: UnneededParts) {
    this.#parts = parts;
  }

  /** Lets some of it go. Runs in the background: logs, never throws. */
  async sweep(): Promise<void> {
    const { rows, clock, log } = this.#parts;
    const before = clock.now() - UNUSED_MS;
    try {
      const left = await this.#sweepManifests(before);
      await rows.dropOldLists(before, MOST_ROWS);
      if (left > 0)
        log.info(
          { manifests: left },
          "manifests that nobody used for 90 days, and whose blobs are gone, were forgotten",
        );
    } catch (error) {
      // That the fleet's database does not answer is told once, elsewhere; and nobody waits for a sweep at the end.
      if (isGranaryError(error, "fleet-unavailable", "closed")) return;
      log.warn({ reason: messageOf(error) }, "what nobody needs any more could not be looked for");
    }
  }

  async #sweepManifests(before: number): Promise<number> {
    const { rows, keep, clock } = this.#parts;
    const slices = new Slices(clock);
    let [left, questions] = [0, 0];
    for (const digest of await rows.manifestsUnusedSince(before, MOST_MANIFESTS)) {
      await slices.breathe();
      const parts = await rows.partsOf(digest, MOST_PARTS);
      if (parts.some(({ blob }) => blob !== undefined) || (await keep.isKept(digest))) continue;
      for (const where of await rows.repositoriesWith(digest, MOST_ROWS)) {
        const tags = (await rows.tagsIn(where, MOST_TAGS)).filter((row) => row.digest === digest);
        const tag = rows.areCopies === true ? undefined : tags[0];
        if (tag !== undefined && questions++ >= MOST_QUESTIONS) continue;
        if (tag !== undefined && !(await this.#canBeAsked(where, tag.tag))) continue;
        await this.#leave(where, digest);
        left += 1;
      }
    }
    return left;
  }

  async #canBeAsked(where: RepositoryKey, tag: string): Promise<boolean> {
    try {
      await this.#parts.askFor(where, tag);
      return true;
    } catch {
      return false; // Whatever the reason: it is asked again at the next sweep.
    }
  }

  async #leave(where: RepositoryKey, digest: Digest): Promise<void> {
    const { rows, forgetNames } = this.#parts;
    const left = await rows.leave({ ...where, isAll: false, tags: [], digests: [digest] });
    // Of what it listed nothing is here.
    await rows.haveLeft(left.unlinked);
    const keys = left.tagKeys.map((key) => ({
      upstream: where.upstream,
      repository: where.repository,
      ...key,
    }));
    forgetNames(where, keys, left.unlinked);
  }
}
