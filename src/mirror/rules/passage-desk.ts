/** Owns what people ask and do about what may pass: the rules, what is held back, and letting it through. It decides about no request. */
import { GranaryError } from "../../errors.ts";
import type { AskAnew } from "../../fleet/knowledge/ask-anew.ts";
import type { RepositoryKey, TagRecord } from "../../metadata/metadata.ts";
import type { Digest } from "../../oci/digest.ts";
import { pathMatches } from "../../routing/glob.ts";
import { matches, type NamePattern, parsePattern } from "../../routing/name-pattern.ts";
import { didYouMean, nearNames } from "../../routing/near-names.ts";
import type { RoutedUpstream } from "../../routing/routing.ts";
import type { Cooldown, HeldSighting } from "./cooldown.ts";
import type { PassageRule } from "./local-rules.ts";
import type { MadeRule, PassageEffect, PassageRules } from "./passage-rules.ts";

export type PassageDeskParts = {
  readonly rules: PassageRules;
  readonly cooldown: Cooldown;
  readonly upstreams: () => readonly RoutedUpstream[];
  /** The pattern that a person means by a text, with what is stored in mind. Throws `reference-invalid`, `route-unknown`. */
  readonly parse: (text: string) => Promise<NamePattern>;
  /** What the tag is served as. */
  readonly tagOf: (where: RepositoryKey, tag: string) => Promise<TagRecord | undefined>;
  /** These tags are checked at their upstream before they are served again. Throws `fleet-unavailable`. */
  readonly askAnew: (names: AskAnew) => Promise<void>;
};

/** A tag or digest that waits. */
export type HeldBackName = {
  /** As people name it. */
  readonly name: string;
  /** What is served meanwhile; undefined where nothing is. */
  readonly oldDigest: Digest | undefined;
  readonly newDigest: Digest;
  /** Epoch ms, as the next. */
  readonly firstSeenAt: number;
  readonly passesAt: number;
};

const MOST_HELD = 10_000;

export class PassageDesk {
  readonly #parts: PassageDeskParts;

  constructor(parts: PassageDeskParts) {
    this.#parts = parts;
  }

  rules(): readonly MadeRule[] {
    return this.#parts.rules.rules();
  }

  /** Upstreams of which new content has to wait, and for how long (ms). */
  cooldowns(): readonly { readonly upstream: string; readonly cooldownMs: number }[] {
    const all = [...this.#parts.cooldown.all].map(([upstream, cooldownMs]) => ({ upstream, cooldownMs }));
    return all.filter(({ cooldownMs }) => cooldownMs > 0);
  }

  /** Makes a rule, or takes it back. Throws `reference-invalid`, `route-unknown`, `not-found` (none to take back), and what writing throws. */
  async change(
    kind: PassageRule["kind"],
    text: string,
    { isRemoval, isTrial }: { readonly isRemoval: boolean; readonly isTrial: boolean },
  ): Promise<PassageEffect & { readonly pattern: string }> {
    const pattern = await this.#parts.parse(text);
    const effect = await this.#parts.rules.change(kind, pattern, isRemoval, isTrial);
    if (isRemoval && !effect.changes) throw this.#noRule(kind, pattern.text);
    return { ...effect, pattern: pattern.text };
  }

  /** The newest first. */
  async heldBack(): Promise<readonly HeldBackName[]> {
    const held = await this.#parts.cooldown.heldBack(MOST_HELD);
    return await Promise.all(held.map((sighting) => this.#named(sighting)));
  }

  /** Lets through what waits of what `text` stands for. Throws as `change`, and `not-found` where nothing of it waits. */
  async approve(text: string, isTrial: boolean): Promise<readonly HeldBackName[]> {
    const { cooldown, upstreams, askAnew } = this.#parts;
    const all = await cooldown.heldBack(MOST_HELD);
    // A short name is one of those that wait: what was never here is not stored.
    const pattern = parsePattern(text, upstreams(), (where) => all.some((held) => isOf(where, held)));
    const meant = all.filter(({ tag, ...sighting }) =>
      matches(pattern, { ...sighting, ...(tag !== "" && { tag }) }),
    );
    if (meant.length === 0) throw nothingHeld(pattern.text, all.map(nameOf));
    const named = await Promise.all(meant.map((sighting) => this.#named(sighting)));
    if (isTrial) return named;
    for (const sighting of meant) {
      await cooldown.approve(sighting);
      const { upstream, repository, tag } = sighting;
      if (tag !== "") await askAnew({ upstream, repository, tags: [tag], isPushed: false });
    }
    return named;
  }

  async #named(sighting: HeldSighting): Promise<HeldBackName> {
    const { tag, digest, firstSeenAt, passesAt } = sighting;
    const served = tag === "" ? undefined : await this.#parts.tagOf(sighting, tag);
    return { name: nameOf(sighting), oldDigest: served?.digest, newDigest: digest, firstSeenAt, passesAt };
  }

  #noRule(kind: PassageRule["kind"], text: string): GranaryError {
    const own = this.rules().filter((rule) => rule.kind === kind);
    const isSettings = own.some(({ pattern, from }) => from === "settings" && pattern.text === text);
    if (isSettings) {
      const message = `The rule to ${kind} ${text} stands in the settings: take it out there, and reload.`;
      return new GranaryError("not-found", message, { target: text, saysWhatToDo: true });
    }
    const near = didYouMean(
      nearNames(
        text,
        own.map(({ pattern }) => pattern.text),
      ),
    );
    return new GranaryError("not-found", `There is no rule to ${kind} ${text}.${near}`, { target: text });
  }
}

function isOf(where: RepositoryKey, held: RepositoryKey): boolean {
  return where.upstream === held.upstream && pathMatches(where.repository, held.repository);
}

function nothingHeld(text: string, held: readonly string[]): GranaryError {
  const near = held.length === 0 ? " Nothing is held back at all." : didYouMean(nearNames(text, held));
  return new GranaryError("not-found", `Nothing is held back that ${text} stands for.${near}`, {
    target: text,
  });
}

function nameOf({ upstream, repository, tag, digest }: HeldSighting): string {
  return `${upstream}/${repository}${tag === "" ? `@${digest}` : `:${tag}`}`;
}
