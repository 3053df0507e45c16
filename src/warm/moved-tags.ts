/**
 * Owns the watch over the tags of one list: at an interval it asks what each means now (one HEAD each, which no registry counts as a pull), and
 * tells which have moved since they were brought in last. What cannot be asked is no news.
 */
import { isGranaryError, messageOf } from "../errors.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import type { Log } from "../observe/log.ts";
import { parsePullName } from "../routing/pull-name.ts";
import type { RoutedUpstream } from "../routing/routing.ts";
import type { ManifestTarget } from "../routing/target.ts";
import { asStrangerFirst, type WarmMirror } from "./warm-mirror.ts";
import { targetName, targetsOf } from "./warm-references.ts";

export type MovedParts = {
  readonly mirror: WarmMirror;
  readonly clock: Clock;
  readonly log: Log;
  readonly upstreams: () => Iterable<RoutedUpstream>;
};

export type Watched = {
  readonly name: string;
  readonly references: readonly string[];
  readonly everyMs: number;
};

/** After a start, before the first look: the clients come first. */
const FIRST_MS = 30_000;

export class MovedTags {
  readonly #parts: MovedParts;
  readonly #watched: Watched;
  readonly #bring: (references: readonly string[]) => boolean;
  /** What each tag meant when it was brought in last. */
  #known = new Map<string, string>();
  readonly #closing = new AbortController();
  #timer: Timer;

  /** `bring` is told what has moved, and returns whether it could begin: if not, it is told again. */
  constructor(parts: MovedParts, watched: Watched, bring: (references: readonly string[]) => boolean) {
    this.#parts = parts;
    this.#watched = watched;
    this.#bring = bring;
    this.#timer = this.#later(Math.min(FIRST_MS, watched.everyMs));
  }

  close(): void {
    this.#closing.abort();
    this.#timer.cancel();
  }

  #later(ms: number): Timer {
    return this.#parts.clock.after(ms, () => void this.#lookInTurn());
  }

  async #lookInTurn(): Promise<void> {
    const now = await this.#look();
    const moved = [...now].filter(([name, digest]) => this.#known.get(name) !== digest);
    if (this.#closing.signal.aborted) return;
    if (moved.length > 0 && this.#bring(moved.map(([name]) => name))) {
      for (const [name, digest] of moved) this.#known.set(name, digest);
    }
    // Tags that are gone are not remembered: patterns would let them pile up.
    this.#known = new Map([...this.#known].filter(([name]) => now.has(name)));
    this.#timer = this.#later(this.#watched.everyMs);
  }

  /** What each tag means now. Those that could not be asked mean what they meant. */
  async #look(): Promise<Map<string, string>> {
    const { mirror, clock, upstreams } = this.#parts;
    const { signal } = this.#closing;
    const now = new Map<string, string>();
    const ask = { platforms: [], attestations: false };
    for (const text of this.#watched.references) {
      try {
        const name = parsePullName(text, upstreams());
        for (const target of await targetsOf(name, { mirror, clock, signal, ask, note: () => undefined })) {
          const digest = (await this.#digestOf(target)) ?? this.#known.get(targetName(target));
          if (digest !== undefined) now.set(targetName(target), digest);
        }
      } catch (error) {
        this.#couldNotAsk(text, error);
        for (const [name, digest] of this.#known) now.set(name, digest);
      }
      if (signal.aborted) break;
    }
    return now;
  }

  async #digestOf(target: ManifestTarget): Promise<string | undefined> {
    try {
      const { answer } = await asStrangerFirst((asker) => this.#parts.mirror.headManifest(target, asker));
      return answer.warning === undefined ? answer.digest : undefined;
    } catch (error) {
      this.#couldNotAsk(targetName(target), error);
      return undefined;
    }
  }

  #couldNotAsk(reference: string, error: unknown): void {
    if (isGranaryError(error, "closed", "aborted")) return;
    const facts = { list: this.#watched.name, reference, reason: messageOf(error) };
    this.#parts.log.debug(facts, "could not be asked whether it has moved");
  }
}
