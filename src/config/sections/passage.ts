/** Owns the keys `allow`, `deny` and `cooldown` of an upstream: what of it may pass, and how long what is new has to wait. */
import { z } from "zod";
import { GranaryError, isGranaryError } from "../../errors.ts";
import { type NamePattern, parsePattern } from "../../routing/name-pattern.ts";
import type { RoutedUpstream } from "../../routing/routing.ts";

const patterns = z.array(z.string().min(1)).max(1_000);

/** `duration` is the schema of a length of time. */
export function passageKeys<Duration extends z.ZodType>(duration: Duration) {
  return {
    allow: patterns
      .optional()
      .describe(
        "Patterns of what may pass, such as library/* or org/app:1.*; with any, nothing else of this upstream does.",
      ),
    deny: patterns.optional().describe("Patterns of what may not pass; they beat allow."),
    cooldown: duration
      .optional()
      .describe(
        "What is new at a tag, or asked for by a digest that is new here, passes after this time; until then a tag stays on what was known.",
      ),
  };
}

export type WrittenPassage = {
  readonly allow?: readonly string[] | undefined;
  readonly deny?: readonly string[] | undefined;
  readonly cooldown?: number | undefined;
};

export type PassageSettings = {
  readonly allow: readonly NamePattern[];
  readonly deny: readonly NamePattern[];
  /** 0: what is new passes at once. */
  readonly cooldownMs: number;
};

/** Of the upstream `name`: its patterns need not repeat that. Throws `config-invalid` with the place of the first that cannot be read. */
export function passageSettings(
  { allow = [], deny = [], cooldown = 0 }: WrittenPassage,
  name: string,
  upstreams: readonly RoutedUpstream[],
): PassageSettings {
  const read = (key: string, written: readonly string[]) =>
    written.map((text, index) => patternAt(`upstreams.${name}.${key}.${index}`, text, name, upstreams));
  return { allow: read("allow", allow), deny: read("deny", deny), cooldownMs: cooldown };
}

function patternAt(
  path: string,
  text: string,
  name: string,
  upstreams: readonly RoutedUpstream[],
): NamePattern {
  try {
    const pattern = parsePattern(within(text, name, upstreams), upstreams);
    if (pattern.upstream === name) return pattern;
    throw new GranaryError("config-invalid", `${path}: "${pattern.text}" is not of ${name}.`);
  } catch (error) {
    if (!isGranaryError(error, "reference-invalid", "route-unknown")) throw error;
    throw new GranaryError("config-invalid", `${path}: ${error.message}`, { cause: error });
  }
}

/** `text` with the upstream before it, where it names none itself. */
function within(text: string, name: string, upstreams: readonly RoutedUpstream[]): string {
  if (text.startsWith("ollama:") || text.includes("://")) return text;
  if (/^sha(?:256|512):/.test(text)) return `${name}/**@${text}`;
  const [first = ""] = text.split("/");
  const isNamed =
    text.includes("/") && upstreams.some((one) => one.name === first || one.aliases.includes(first));
  if (isNamed) return text;
  return `${name}/${text.replace(/^\*(?=$|[:@])/, "**")}`;
}
