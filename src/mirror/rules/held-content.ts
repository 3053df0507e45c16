/**
 * Owns that what a tag stands for here is not evicted while what its upstream names for it now has to wait: the registry may have dropped the old
 * content already, and then the tag would answer nothing. It is looked up when something must go, never when something is served.
 */
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Cooldown } from "./cooldown.ts";

export type HeldContentParts = {
  readonly cooldown: Pick<Cooldown, "servedInstead" | "revision">;
  readonly contents: Pick<ContentRows, "ancestorsOf">;
  readonly clock: Clock;
};

type Known = {
  readonly digests: Promise<ReadonlySet<Digest>>;
  readonly revision: number;
  /** Of the clock's `elapsed`. */
  readonly at: number;
};

/** For how long the list is believed: what passes by time alone is kept no longer than that. */
const BELIEVED_MS = 60_000;
/** More tags that moved within one cooldown are not kept; those seen last count. */
const MOST_TAGS = 5_000;

export class HeldContent {
  readonly #parts: HeldContentParts;
  #known: Known | undefined;

  constructor(parts: HeldContentParts) {
    this.#parts = parts;
  }

  /** True for a blob or a manifest that is part of what a tag stands for meanwhile. */
  async isKept(digest: Digest): Promise<boolean> {
    const served = await this.#served();
    if (served.size === 0) return false;
    return (await this.#parts.contents.ancestorsOf(digest)).some((each) => served.has(each));
  }

  #served(): Promise<ReadonlySet<Digest>> {
    const { cooldown, clock } = this.#parts;
    const [revision, at] = [cooldown.revision, clock.elapsed()];
    const known = this.#known;
    if (known?.revision === revision && at - known.at < BELIEVED_MS) return known.digests;
    const digests = cooldown.servedInstead(MOST_TAGS);
    this.#known = { digests, revision, at };
    digests.catch(() => {
      this.#known = undefined;
    });
    return digests;
  }
}
