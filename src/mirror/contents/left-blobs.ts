/**
 * Owns the bytes of what has left: blobs and unfinished blobs that no repository needs after a removal go in the Janitor's order, at once, when
 * their last reader or fill has ended (F12), or at the next start where the process ended before. Which names leave is not decided here.
 */
import type { ContentRemoval } from "../../metadata/content-removal.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import { Slices } from "../../waiting/slices.ts";
import type { Candidate } from "../space/coldest.ts";
import type { Pins } from "../space/pins.ts";
import type { Space } from "../space/space.ts";
import type { FoundPartials } from "./found-partials.ts";

export type LeftBlobsParts = {
  readonly rows: Pick<ContentRows, "isNeeded"> &
    Pick<ContentRemoval, "linksTo" | "stillLeaving" | "haveLeft">;
  readonly metadata: Pick<Metadata, "blob">;
  readonly partials: Pick<FoundPartials, "list">;
  readonly store: Pick<BlobStore, "stat">;
  readonly space: Pick<Space, "remove">;
  readonly pins: Pins;
  readonly clock: Clock;
};

const TRY_AGAIN_MS = 2_000;
/** Digests that are looked at together at the start. */
const PAGE = 500;

export class LeftBlobs {
  readonly #parts: LeftBlobsParts;

  constructor(parts: LeftBlobsParts) {
    this.#parts = parts;
  }

  /** Blobs and saved partials of these digests. */
  async candidates(digests: readonly Digest[]): Promise<Candidate[]> {
    const { metadata, partials, clock } = this.#parts;
    const wanted = new Set(digests);
    const found: Candidate[] = [];
    const slices = new Slices(clock);
    for (const digest of wanted) {
      const blob = await metadata.blob(digest);
      if (blob !== undefined) found.push({ kind: "blob", ...blob });
      await slices.breathe();
    }
    if (wanted.size === 0) return found;
    for (const { digest, upstream, present, changedAt } of await partials.list())
      if (wanted.has(digest))
        found.push({ kind: "partial", digest, upstream, size: present, usedAt: changedAt ?? 0 });
    return found;
  }

  /** Removes what `digests` have, which is `candidates`; what somebody reads or fills goes when that has ended. */
  async remove(digests: readonly Digest[], candidates: readonly Candidate[]): Promise<void> {
    const { space, pins } = this.#parts;
    const later = new Set(candidates.map(({ digest }) => digest).filter((digest) => pins.has(digest)));
    const gone = new Set(await space.remove(candidates));
    const stays = new Set(candidates.filter((each) => !gone.has(each)).map(({ digest }) => digest));
    await this.#haveLeft(digests.filter((digest) => !stays.has(digest) && !later.has(digest)));
    for (const digest of later) this.#removeLater(digest);
  }

  /** Removes what had to leave when the last process ended. Before anybody is served; throws what Metadata and the disk throw. */
  async finish(): Promise<void> {
    const { rows } = this.#parts;
    for (let after = ""; ; ) {
      const page = await rows.stillLeaving(after, PAGE);
      const needed = new Set<Digest>();
      for (const digest of page) if ((await rows.linksTo(digest)) > 0) needed.add(digest);
      const unneeded = page.filter((digest) => !needed.has(digest));
      const known = await this.candidates(unneeded);
      await this.remove(page, [...known, ...(await this.#withoutRows(unneeded, known))]);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      after = last;
    }
  }

  /** Files whose rows were deleted already. */
  async #withoutRows(digests: readonly Digest[], known: readonly Candidate[]): Promise<Candidate[]> {
    const withRows = new Set(known.filter(({ kind }) => kind === "blob").map(({ digest }) => digest));
    const found: Candidate[] = [];
    for (const digest of digests) {
      const file = withRows.has(digest) ? undefined : await this.#parts.store.stat(digest);
      if (file !== undefined) found.push({ kind: "blob", digest, size: file.size, usedAt: 0 });
    }
    return found;
  }

  /** When the last reader and the last fill have ended, unless somebody pulled it again meanwhile. */
  #removeLater(digest: Digest): void {
    const { pins, rows, space, clock } = this.#parts;
    const remove = async () => {
      if (await rows.isNeeded(digest)) return await this.#haveLeft([digest]);
      const left = await this.candidates([digest]);
      const gone = await space.remove(left);
      if (gone.length === left.length) return await this.#haveLeft([digest]);
      // Somebody reads it again, or the file of its fill is being closed.
      clock.after(TRY_AGAIN_MS, () => this.#removeLater(digest));
    };
    // What fails stays until the next start.
    pins.whenFree(digest, () => void remove().catch(() => undefined));
  }

  /** A disk that takes no writes keeps the list as it is: what is gone is passed over at the next start. */
  async #haveLeft(digests: readonly Digest[]): Promise<void> {
    await this.#parts.rows.haveLeft(digests).catch(() => undefined);
  }
}
