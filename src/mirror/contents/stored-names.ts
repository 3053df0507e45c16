/**
 * Owns which of the stored repositories a pattern stands for, and the error for one that stands for none. A short name is read with what is
 * stored in mind; upstreams that left the settings still count for what came from them.
 */
import { GranaryError } from "../../errors.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import { matches, type NamePattern, parsePattern, readingsOf } from "../../routing/name-pattern.ts";
import { didYouMean, nearNames } from "../../routing/near-names.ts";
import type { RoutedUpstream } from "../../routing/routing.ts";
import { Slices } from "../../waiting/slices.ts";

export type StoredNamesParts = {
  readonly rows: ContentRows;
  readonly clock: Clock;
  /** Those that are configured now. */
  readonly upstreams: () => readonly RoutedUpstream[];
};

const PAGE = 200;
/** Names that are looked at for what comes near. */
const MOST_NEAR = 20_000;

export class StoredNames {
  readonly #parts: StoredNamesParts;

  constructor(parts: StoredNamesParts) {
    this.#parts = parts;
  }

  /** The pattern that a person means by `text`. Throws `reference-invalid`, `route-unknown`. */
  async parse(text: string): Promise<NamePattern> {
    const upstreams = await this.#upstreams();
    const readings = readingsOf(text, upstreams);
    const known = new Set<string>();
    if (readings.length > 1)
      for (const reading of readings) if (await this.#isStored(reading)) known.add(repositoryName(reading));
    return parsePattern(text, upstreams, (reading) => known.has(repositoryName(reading)));
  }

  /** Stored repositories that `pattern` speaks of, in the order of their names; all of them without one. It lets others go first. */
  async *repositories(pattern: NamePattern | undefined): AsyncGenerator<RepositoryKey> {
    if (pattern !== undefined && isExact(pattern)) {
      if (await this.#parts.rows.holds(pattern))
        yield { upstream: pattern.upstream, repository: pattern.repository };
      return;
    }
    const slices = new Slices(this.#parts.clock);
    for (let last: RepositoryKey | undefined = { upstream: "", repository: "" }; last !== undefined; ) {
      const page: RepositoryKey[] = await this.#parts.rows.repositoriesAfter(last, PAGE);
      for (const where of page) if (pattern === undefined || speaksOf(pattern, where)) yield where;
      last = page.length < PAGE ? undefined : page.at(-1);
      await slices.breathe();
    }
  }

  /** The error for a pattern that nothing matches, with what comes near. */
  async nothing(text: string, pattern: NamePattern): Promise<GranaryError> {
    const near = await this.#repositoriesNear(pattern);
    const tags = near.length === 0 || pattern.tag === undefined ? [] : await this.#tagsNear(pattern);
    const meant = pattern.text === text ? "" : ` (${pattern.text})`;
    const sentence = `Nothing that is stored matches ${shown(text)}${meant}.${didYouMean(tags.length > 0 ? tags : near)}`;
    return new GranaryError("not-found", sentence, { target: pattern.text, saysWhatToDo: true });
  }

  /** Names are compared page by page, so that others have their turn between two. */
  async #repositoriesNear({ repository }: NamePattern): Promise<string[]> {
    const slices = new Slices(this.#parts.clock);
    let near: string[] = [];
    let page: string[] = [];
    let count = 0;
    for await (const where of this.repositories(undefined)) {
      page.push(repositoryName(where));
      count += 1;
      if (page.length === PAGE) {
        near = nearNames(repository, [...near, ...page]);
        page = [];
        await slices.breathe();
      }
      if (count >= MOST_NEAR) break;
    }
    return nearNames(repository, [...near, ...page]);
  }

  /** Tags of the repository that was named, where it is stored under that very name. */
  async #tagsNear(pattern: NamePattern): Promise<string[]> {
    if (!isExact(pattern)) return [];
    const tags = await this.#parts.rows.tagsIn(pattern, MOST_NEAR);
    const name = `${pattern.upstream}/${pattern.repository}`;
    const near = nearNames(
      pattern.tag ?? "",
      tags.map(({ tag }) => tag),
    );
    const shownTags = near.length > 0 ? near : tags.slice(0, 3).map(({ tag }) => tag);
    return shownTags.map((tag) => `${name}:${tag}`);
  }

  async #isStored(reading: NamePattern): Promise<boolean> {
    for await (const _ of this.repositories(reading)) return true;
    return false;
  }

  async #upstreams(): Promise<RoutedUpstream[]> {
    const configured = this.#parts.upstreams();
    const names = new Set(configured.map(({ name }) => name));
    const gone = (await this.#parts.rows.upstreams()).filter((name) => !names.has(name));
    return [...configured, ...gone.map((name) => ({ name, aliases: [], names: "oci" as const }))];
  }
}

/** True for a pattern that names one repository of one upstream. */
function isExact({ upstream, repository }: NamePattern): boolean {
  return !upstream.includes("*") && !repository.includes("*");
}

/** Whether `pattern` speaks of the repository, whatever tag or digest it names there. */
function speaksOf(pattern: NamePattern, where: RepositoryKey): boolean {
  return matches({ ...pattern, tag: undefined, digest: undefined }, where);
}

export function repositoryName({ upstream, repository }: RepositoryKey): string {
  return `${upstream}/${repository}`;
}

function shown(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
