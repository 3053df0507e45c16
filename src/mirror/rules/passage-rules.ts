/**
 * Owns the rules that allow and deny as a whole: those of the settings and those that were made by command stand side by side, and what a
 * change of them would mean for what is stored. Whether one request may pass is passage.ts's. It removes no content.
 */
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { RuleRows } from "../../metadata/rule-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { NamePattern } from "../../routing/name-pattern.ts";
import { type PassageRule, refusalUnder } from "./local-rules.ts";
import type { Passage } from "./passage.ts";

export type PassageRulesParts = {
  readonly passage: Passage;
  readonly rows: RuleRows;
  readonly contents: ContentRows;
  readonly clock: Clock;
  /** Reads the canonical text of a pattern; undefined for one whose upstream is not configured any more. */
  readonly parse: (text: string) => NamePattern | undefined;
  /** Those that are configured now. */
  readonly upstreams: () => readonly { readonly name: string }[];
};

type Kind = PassageRule["kind"];

export type MadeRule = PassageRule & {
  /** Epoch ms; undefined for those of the settings. */
  readonly madeAt: number | undefined;
};

/** What a change of the rules means for what is stored. */
export type PassageEffect = {
  /** False where everything is as it was: the rule was there, or there was none to take back. */
  readonly changes: boolean;
  /** Stored names that do not pass any more. */
  readonly refused: readonly string[];
  /** Stored names that pass again. */
  readonly passing: readonly string[];
  /** There are more than are named. */
  readonly isCut: boolean;
  /** Upstreams of which, from now on, nothing passes but what is allowed. */
  readonly closed: readonly string[];
};

const KINDS: readonly Kind[] = ["allow", "deny"];
const MOST_NAMED = 1_000;
/** Repositories that are looked at before others have their turn. */
const PAGE = 100;
const MOST_TAGS = 10_000;

export class PassageRules {
  readonly #parts: PassageRulesParts;
  #ofSettings: readonly PassageRule[] = [];
  /** As they are stored: their patterns are read anew when other upstreams are configured. */
  #ofCommands: readonly { readonly kind: Kind; readonly text: string; readonly madeAt: number }[] = [];

  constructor(parts: PassageRulesParts) {
    this.#parts = parts;
  }

  /** Reads those that were made by command; to be called once, before anything is served. */
  async load(ofSettings: readonly PassageRule[]): Promise<void> {
    for (const kind of KINDS) await this.#read(kind);
    this.renew(ofSettings);
  }

  /** Somebody else has changed the rules of commands. */
  async reread(): Promise<void> {
    for (const kind of KINDS) await this.#read(kind);
    this.renew();
  }

  /** Other rules in the settings, or other upstreams, from now on. */
  renew(ofSettings = this.#ofSettings): void {
    this.#ofSettings = ofSettings;
    this.#parts.passage.use(this.rules());
  }

  /** Those of the settings first. */
  rules(): readonly MadeRule[] {
    const { parse } = this.#parts;
    const settings = this.#ofSettings.map((rule) => ({ ...rule, madeAt: undefined }));
    const commands = this.#ofCommands.flatMap(({ kind, text, madeAt }) => {
      const pattern = parse(text);
      return pattern === undefined ? [] : [{ kind, pattern, from: "command" as const, madeAt }];
    });
    return [...settings, ...commands];
  }

  /** Makes or takes back a rule of a command. Throws `store-full`, `store-damaged`, `config-invalid` (too many). */
  async change(
    kind: Kind,
    pattern: NamePattern,
    isRemoval: boolean,
    isTrial: boolean,
  ): Promise<PassageEffect> {
    const before = this.rules();
    const others = before.filter((rule) => !isSame(rule, kind, pattern));
    const made = { kind, pattern, from: "command" as const, madeAt: this.#parts.clock.now() };
    const after = isRemoval ? others : [...others, made];
    const effect = await this.#effectOf(before, after, before.length !== after.length);
    if (isTrial || !effect.changes) return effect;
    const { rows } = this.#parts;
    if (isRemoval) await rows.forget(kind, pattern.text);
    else await rows.record({ kind, pattern: pattern.text, detail: undefined, madeAt: made.madeAt });
    await this.#read(kind);
    this.renew();
    return effect;
  }

  async #effectOf(
    before: readonly PassageRule[],
    after: readonly PassageRule[],
    changes: boolean,
  ): Promise<PassageEffect> {
    const refused: string[] = [];
    const passing: string[] = [];
    let isCut = false;
    const isClosed = (rules: readonly PassageRule[], upstream: string) =>
      refusalUnder(rules, { upstream, repository: "\n" }) !== undefined;
    const closed = this.#parts
      .upstreams()
      .map(({ name }) => name)
      .filter((name) => !isClosed(before, name) && isClosed(after, name));
    if (changes) {
      for await (const name of this.#names()) {
        const [was, is] = [refusalUnder(before, name), refusalUnder(after, name)];
        if ((was === undefined) === (is === undefined)) continue;
        const list = is === undefined ? passing : refused;
        if (list.length < MOST_NAMED) list.push(name.text);
        else isCut = true;
      }
    }
    return { changes, refused, passing, isCut, closed };
  }

  /** Every stored tag, and repositories that have none. */
  async *#names() {
    const { contents } = this.#parts;
    let at: RepositoryKey = { upstream: "", repository: "" };
    for (;;) {
      const page = await contents.repositoriesAfter(at, PAGE);
      for (const where of page) yield* this.#namesIn(where);
      const last = page.at(-1);
      if (last === undefined) return;
      at = last;
      await new Promise(setImmediate);
    }
  }

  async *#namesIn(where: RepositoryKey) {
    const text = `${where.upstream}/${where.repository}`;
    const tags = await this.#parts.contents.tagsIn(where, MOST_TAGS);
    if (tags.length === 0) yield { ...where, text };
    const seen = new Set<string>();
    for (const { tag, digest } of tags) {
      if (!seen.has(tag)) yield { ...where, tag, digest, text: `${text}:${tag}` };
      seen.add(tag);
    }
  }

  async #read(kind: Kind): Promise<void> {
    const found = await this.#parts.rows.of(kind);
    const others = this.#ofCommands.filter((rule) => rule.kind !== kind);
    this.#ofCommands = [...others, ...found.map(({ pattern, madeAt }) => ({ kind, text: pattern, madeAt }))];
  }
}

function isSame(rule: PassageRule, kind: Kind, { text }: NamePattern): boolean {
  return rule.from === "command" && rule.kind === kind && rule.pattern.text === text;
}
