/** Owns WarmAsk: what a warm-up is asked to bring in, read from what a person, a setting or the database gives. Sends nothing. */
import { GranaryError } from "../errors.ts";
import { asObject, textOf } from "../oci/json-value.ts";
import { parsePlatform } from "../oci/platform.ts";
import { parsePullName } from "../routing/pull-name.ts";
import type { RoutedUpstream } from "../routing/routing.ts";

export type WarmAsk = {
  /** The named list of the settings that it comes from. */
  readonly list?: string;
  /** Images and models as people write them; the tag may have `*` in it. */
  readonly references: readonly string[];
  /** os/architecture[/variant]; empty for all that there are. */
  readonly platforms: readonly string[];
  /** Also what BuildKit attests about images, which clients do not pull. */
  readonly attestations: boolean;
};

/** A file of names may be long; each of them can stand for many tags. */
const MOST_REFERENCES = 5_000;

/** Throws `config-invalid` for what is no WarmAsk, and what is wrong with the first reference or platform that cannot be used. */
export function parseWarmAsk(input: unknown, upstreams: Iterable<RoutedUpstream>): WarmAsk {
  const fields = asObject(input) ?? {};
  const list = textOf(fields.list);
  const references = textsOf(fields.references);
  if (references.length === 0) throw new GranaryError("config-invalid", "Name at least one image or model.");
  if (references.length > MOST_REFERENCES) {
    const text = `A warm-up takes at most ${MOST_REFERENCES} references, and this one has ${references.length}: make several of it.`;
    throw new GranaryError("config-invalid", text);
  }
  const known = [...upstreams];
  for (const reference of references) parsePullName(reference, known);
  const platforms = textsOf(fields.platforms);
  for (const platform of platforms) parsePlatform(platform);
  const attestations = fields.attestations === true;
  return { references, platforms, attestations, ...(list !== undefined && { list }) };
}

/** "warm alpine:3.22, ghcr.io/org/app and 3 more". */
export function titleOf({ list, references }: WarmAsk): string {
  const named = list === undefined ? "" : `the list ${list}: `;
  const shown = references.slice(0, 3).join(", ");
  const more = references.length > 3 ? ` and ${references.length - 3} more` : "";
  return `warm ${named}${shown}${more}`;
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
