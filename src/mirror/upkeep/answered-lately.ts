/**
 * Owns which upstreams are known to answer now. Who asks gets an answer at once: an upstream of which nothing is known lately is asked in the
 * background, one question at a time, and counts as one that does not answer until it has. It decides nothing by that.
 */
import { GranaryError } from "../../errors.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import { MANIFEST_UNION } from "../../oci/media-types.ts";
import type { CurrentUpstreams } from "../current-upstreams.ts";
import type { Offline } from "../rules/offline.ts";

export type AnsweredLatelyParts = {
  readonly upstreams: Pick<CurrentUpstreams, "answers" | "hold">;
  readonly offline: Pick<Offline, "has">;
  readonly clock: Clock;
};

/** An answer shows for so long that the upstream can be asked. */
const BELIEVED_MS = 10 * 60_000;
/** After a question that was not answered. */
const REST_MS = 30_000;

/** Of one upstream; both of the clock's `elapsed`. */
type Known = { answeredAt: number; askAgainAt: number };

export class AnsweredLately {
  readonly #parts: AnsweredLatelyParts;
  readonly #known = new Map<string, Known>();

  constructor(parts: AnsweredLatelyParts) {
    this.#parts = parts;
  }

  /** `reference`, a tag or a digest in `where`, is what is asked for if nothing is known of the upstream. */
  has(where: RepositoryKey, reference: string): boolean {
    const { upstreams, offline, clock } = this.#parts;
    if (offline.has(where.upstream) || !upstreams.answers(where.upstream)) return false;
    const now = clock.elapsed();
    const known = this.#known.get(where.upstream);
    if (known !== undefined && now - known.answeredAt < BELIEVED_MS) return true;
    if (known === undefined || now >= known.askAgainAt) void this.#askLater(where, reference);
    return false;
  }

  /** Asks now. Resolves when the upstream has answered for `reference`, whatever it said; rejects when it cannot be asked. */
  async ask({ upstream, repository }: RepositoryKey, reference: string): Promise<void> {
    const held = this.#parts.upstreams.hold(upstream);
    if (held === undefined)
      throw new GranaryError("route-unknown", `No upstream "${upstream}" is configured.`);
    const question = { repository, reference, accept: MANIFEST_UNION, userAgent: undefined };
    await held.client.headManifest(question).finally(held.release);
  }

  async #askLater(where: RepositoryKey, reference: string): Promise<void> {
    const { clock } = this.#parts;
    const known = { answeredAt: Number.NEGATIVE_INFINITY, askAgainAt: Number.POSITIVE_INFINITY };
    this.#known.set(where.upstream, known);
    try {
      await this.ask(where, reference);
      known.answeredAt = clock.elapsed();
    } catch {
      // Whatever the reason: nothing shows that it can be asked.
    } finally {
      known.askAgainAt = clock.elapsed() + REST_MS;
    }
  }
}
