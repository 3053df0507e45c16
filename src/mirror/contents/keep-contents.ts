/** Owns keep rules as people make them and take them back: what a rule stands for now, and whether the budget can ever hold it. */
import { formatBytes } from "../../bytes/units.ts";
import { GranaryError } from "../../errors.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { NamePattern } from "../../routing/name-pattern.ts";
import { didYouMean, nearNames } from "../../routing/near-names.ts";
import { Slices } from "../../waiting/slices.ts";
import type { Keep } from "../rules/keep.ts";
import { imagesOf, type Share, type ShownPart } from "./content-parts.ts";
import type { FoundPartials } from "./found-partials.ts";
import { namesOfPattern } from "./names-of-pattern.ts";
import type { StoredNames } from "./stored-names.ts";

export type ShownRule = Share & {
  /** Its canonical text. */
  readonly pattern: string;
  readonly from: "settings" | "command";
  /** Epoch ms. */
  readonly madeAt: number | undefined;
  /** Tags, and manifests without one, that it stands for now. */
  readonly names: number;
};

export type KeepPartsOfContents = {
  readonly rows: ContentRows;
  readonly names: StoredNames;
  readonly partials: FoundPartials;
  readonly keep: Keep;
  /** Bytes. */
  readonly budget: () => number;
  readonly clock: Clock;
};

/** All rules, each with what it stands for now. */
export async function shownRules(parts: KeepPartsOfContents): Promise<ShownRule[]> {
  const shown: ShownRule[] = [];
  for (const { pattern, from, madeAt } of await parts.keep.rules()) {
    const { share, names } = await heldBy(parts, pattern);
    shown.push({ pattern: pattern.text, from, madeAt, ...share, names });
  }
  return shown;
}

/**
 * Makes a rule, or says what it would be. Throws `store-full` with a sentence where everything that it stands for, with what other rules keep,
 * is more than the budget; `reference-invalid`, `route-unknown`.
 */
export async function keepContents(
  parts: KeepPartsOfContents,
  text: string,
  dryRun: boolean,
): Promise<ShownRule> {
  const pattern = await parts.names.parse(text);
  const held = await heldBy(parts, pattern);
  const { share, names } = held;
  for (const rule of await parts.keep.rules()) await heldBy(parts, rule.pattern, held);
  const { wanted } = held.share;
  const budget = parts.budget();
  if (wanted > budget) throw neverFits(pattern, share.wanted, wanted, budget);
  if (!dryRun) await parts.keep.add(pattern);
  return { pattern: pattern.text, from: "command", madeAt: parts.clock.now(), ...share, names };
}

/** Takes a rule back. Throws `not-found` with what comes near, and `denied` for a rule of the settings. */
export async function unkeepContents(
  parts: KeepPartsOfContents,
  text: string,
  dryRun: boolean,
): Promise<ShownRule> {
  const pattern = await parts.names.parse(text);
  const rules = await parts.keep.rules();
  const same = rules.filter((rule) => rule.pattern.text === pattern.text);
  const made = same.find(({ from }) => from === "command");
  if (made === undefined && same.length > 0)
    throw new GranaryError("denied", `The settings keep ${pattern.text}: take it out of "keep" there.`, {
      saysWhatToDo: true,
    });
  if (made === undefined) {
    const near = nearNames(
      pattern.repository,
      rules.map((rule) => rule.pattern.text),
    );
    throw new GranaryError("not-found", `There is no rule that keeps ${pattern.text}.${didYouMean(near)}`, {
      saysWhatToDo: true,
    });
  }
  const { share, names } = await heldBy(parts, pattern);
  if (!dryRun) await parts.keep.takeBack(pattern);
  return { pattern: pattern.text, from: "command", madeAt: made.madeAt, ...share, names };
}

/** Names and what they stand for, added up as they are found: what two of them share counts once. */
class HeldSums {
  readonly #seen = new Set<Digest>();
  #size = 0;
  #partial = 0;
  #wanted = 0;
  names = 0;

  get share(): Share {
    return { size: this.#size, partial: this.#partial, wanted: this.#wanted };
  }

  add({ digest, size, present }: ShownPart): void {
    if (this.#seen.has(digest)) return;
    this.#seen.add(digest);
    if (size !== undefined && present >= size) this.#size += present;
    else this.#partial += present;
    this.#wanted += size ?? present;
  }
}

/** Adds what `pattern` stands for now to `held`. Others have their turn meanwhile. */
async function heldBy(
  { rows, names, partials, clock }: KeepPartsOfContents,
  pattern: NamePattern,
  held = new HeldSums(),
): Promise<HeldSums> {
  const found = await partials.find();
  const slices = new Slices(clock);
  for await (const where of names.repositories(pattern)) {
    const named = await namesOfPattern(rows, where, pattern);
    held.names += named.length;
    for (const digest of new Set(named.map((each) => each.digest))) {
      for (const image of await imagesOf(rows, where, digest, found))
        if (image.isStored) for (const part of image.parts) held.add(part);
      await slices.breathe();
    }
  }
  return held;
}

function neverFits({ text }: NamePattern, own: number, wanted: number, budget: number): GranaryError {
  const others = wanted > own ? `, with what other rules keep ${formatBytes(wanted)}` : "";
  const sentence = `${text} stands for ${formatBytes(own)}${others}, and the budget is ${formatBytes(budget)} (storage.maxSize): that can never be kept. Raise the budget, or keep less.`;
  return new GranaryError("store-full", sentence, { target: text, saysWhatToDo: true });
}
