/**
 * Owns keep rules: what a pattern stands for is not evicted, now and later. Rules of the settings and rules that were made by command stand side
 * by side. Whether a digest is kept is looked up when something must go, never when something is served. It removes nothing.
 */
import { LRUCache } from "lru-cache";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { RuleRows } from "../../metadata/rule-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import { matches, type NamePattern, type PatternName } from "../../routing/name-pattern.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";

export type KeepRule = {
  readonly pattern: NamePattern;
  /** Rules of the settings are taken back there. */
  readonly from: "settings" | "command";
  /** Epoch ms; undefined for those of the settings. */
  readonly madeAt: number | undefined;
};

export type KeepParts = {
  readonly contents: ContentRows;
  readonly rows: RuleRows;
  readonly clock: Clock;
  /** Whether it is known of every stored manifest what it lists; until then a rule for a tag keeps its whole repository. */
  readonly areEdgesKnown: () => boolean;
  /** Reads the canonical text of a pattern; undefined for one whose upstream is not configured any more. */
  readonly parse: (text: string) => NamePattern | undefined;
};

const KIND = "keep";
/** How long "is kept" is believed: a tag that moved leaves its old digest unkept after that. That something is not kept is never remembered. */
const BELIEVED_MS = 60_000;
const REMEMBERED = 200_000;
/** More repositories than that share no digest that somebody wants to keep by the name of one of them. */
const MOST_REPOSITORIES = 5_000;
const MOST_TAGS = 20_000;

export class Keep {
  readonly #parts: KeepParts;
  readonly #kept: LRUCache<Digest, true>;
  #ofSettings: readonly NamePattern[];
  #ofCommands: Promise<KeepRule[]> | undefined;
  /** As they were read last; undefined while they could not be read. */
  #readLast: readonly NamePattern[] | undefined;
  readonly #listeners: (() => void)[] = [];

  constructor(parts: KeepParts, ofSettings: readonly NamePattern[]) {
    this.#parts = parts;
    this.#ofSettings = ofSettings;
    this.#kept = new LRUCache({ ...mostEntries(REMEMBERED), ttl: BELIEVED_MS, ...expiringBy(parts.clock) });
  }

  /** Reads the rules, so that what they keep can be told at once. Never rejects: until they are read everything counts as kept then. */
  async open(): Promise<void> {
    await this.#commands().catch(() => undefined);
  }

  /** `listener` is called when there are other rules. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Other rules in the settings from now on. */
  renew(ofSettings: readonly NamePattern[]): void {
    this.#ofSettings = ofSettings;
    this.#kept.clear();
    this.#told();
  }

  /** Whether a rule stands for this very name, told at once. */
  keepsNow(name: PatternName): boolean {
    return this.#now?.some((pattern) => matches(pattern, name)) ?? true;
  }

  /** Whether a rule stands for something in this repository, told at once. */
  keepsInNow(where: RepositoryKey): boolean {
    return this.#now?.some((pattern) => isIn(pattern, where)) ?? true;
  }

  get #now(): readonly NamePattern[] | undefined {
    return this.#readLast && [...this.#ofSettings, ...this.#readLast];
  }

  /** Somebody else has changed the rules of commands: they are read again. */
  async reread(): Promise<void> {
    await this.#changed();
  }

  /** All rules; those of the settings first. */
  async rules(): Promise<KeepRule[]> {
    const settings = this.#ofSettings.map(
      (pattern) => ({ pattern, from: "settings", madeAt: undefined }) as const,
    );
    return [...settings, ...(await this.#commands())];
  }

  async add(pattern: NamePattern): Promise<void> {
    const madeAt = this.#parts.clock.now();
    await this.#parts.rows.record({ kind: KIND, pattern: pattern.text, detail: undefined, madeAt });
    await this.#changed();
  }

  /** True when there was such a rule. One of the settings is not touched. */
  async takeBack(pattern: NamePattern): Promise<boolean> {
    const wasThere = await this.#parts.rows.forget(KIND, pattern.text);
    await this.#changed();
    return wasThere;
  }

  /** The rule that keeps what has this name; undefined when none does. */
  async ruleFor(
    where: RepositoryKey,
    named: { readonly tag?: string; readonly digest?: Digest },
  ): Promise<KeepRule | undefined> {
    return (await this.rules()).find(({ pattern }) => matches(pattern, { ...where, ...named }));
  }

  /** The rule that keeps the manifest `digest` there, by a name of its own or of something that lists it. */
  async ruleOver(where: RepositoryKey, digest: Digest): Promise<KeepRule | undefined> {
    const above = new Set(await this.#parts.contents.ancestorsOf(digest));
    for (const rule of await this.rules()) {
      const { pattern } = rule;
      if (!isIn(pattern, where)) continue;
      if (pattern.tag === undefined && pattern.digest === undefined) return rule;
      if (await this.#isNamed(where, above, [pattern])) return rule;
    }
    return undefined;
  }

  /** True when a rule keeps `digest`, a blob or a manifest, as part of whatever has a name that the rule stands for. */
  async isKept(digest: Digest): Promise<boolean> {
    const rules = await this.rules();
    if (rules.length === 0) return false;
    if (this.#kept.get(digest) === true) return true;
    const isKept = await this.#isNeeded(
      digest,
      rules.map(({ pattern }) => pattern),
    );
    if (isKept) this.#kept.set(digest, true);
    return isKept;
  }

  async #isNeeded(digest: Digest, patterns: readonly NamePattern[]): Promise<boolean> {
    const { contents } = this.#parts;
    let above: ReadonlySet<Digest> | undefined;
    for (const where of await contents.repositoriesWith(digest, MOST_REPOSITORIES)) {
      const near = patterns.filter((pattern) => isIn(pattern, where));
      if (near.some(({ tag, digest }) => tag === undefined && digest === undefined)) return true;
      if (near.length === 0) continue;
      if (!this.#parts.areEdgesKnown()) return true;
      above ??= new Set(await contents.ancestorsOf(digest));
      if (await this.#isNamed(where, above, near)) return true;
    }
    return false;
  }

  /** Whether one of `above` has a name in this repository that one of `patterns` stands for. */
  async #isNamed(
    where: RepositoryKey,
    above: ReadonlySet<Digest>,
    patterns: readonly NamePattern[],
  ): Promise<boolean> {
    for (const digest of above)
      if (patterns.some((pattern) => matches(pattern, { ...where, digest }))) return true;
    const tags = await this.#parts.contents.tagsIn(where, MOST_TAGS);
    return tags.some(
      ({ tag, digest }) =>
        above.has(digest) && patterns.some((pattern) => matches(pattern, { ...where, tag, digest })),
    );
  }

  #commands(): Promise<KeepRule[]> {
    this.#ofCommands ??= this.#read().catch((error: unknown) => {
      this.#ofCommands = undefined;
      throw error;
    });
    return this.#ofCommands;
  }

  async #read(): Promise<KeepRule[]> {
    const { rows, parse } = this.#parts;
    const rules: KeepRule[] = [];
    for (const { pattern: text, madeAt } of await rows.of(KIND)) {
      const pattern = parse(text);
      if (pattern !== undefined) rules.push({ pattern, from: "command", madeAt });
    }
    this.#readLast = rules.map(({ pattern }) => pattern);
    return rules;
  }

  async #changed(): Promise<void> {
    this.#ofCommands = undefined;
    this.#kept.clear();
    await this.open();
    this.#told();
  }

  #told(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Whether the repository is one that `pattern` speaks of, whatever tag or digest it names there. */
function isIn({ upstream, repository, text }: NamePattern, where: RepositoryKey): boolean {
  return matches({ upstream, repository, text, tag: undefined, digest: undefined }, where);
}
