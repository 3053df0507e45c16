/**
 * Owns which verb does it, where another one was tried: an image was asked for and a model is there, and the like. It answers with a whole
 * command that means the same thing, or with nothing. Pure.
 */
import type { ErrorFacts, GranaryError } from "../errors.ts";
import { DOCKER_HUB, formatReference, parseReference, type Reference } from "../oci/reference.ts";
import { OLLAMA_REGISTRY, parseModelName } from "../ollama/model-name.ts";
import { type Asked, shellLine } from "./asked.ts";

type Kind = NonNullable<ErrorFacts["isRather"]>;

const ARTICLES: Record<Kind, string> = {
  image: "a container image",
  model: "a model",
  artifact: "an artifact",
};

/** A sentence without a full stop. */
export function otherVerb({ code, facts }: GranaryError, asked: Asked): string | undefined {
  // Where another platform was expected, the thing itself is there.
  if (code === "not-found")
    return isBare(asked) && facts.expected === undefined ? otherRegistry(asked) : undefined;
  const kind = facts.isRather;
  if (kind === undefined || (kind === "artifact" && asked.verb === "artifact pull")) return undefined;
  const command = commandFor(kind, asked, nameFor(kind, asked));
  const isAll = kind === "model" && asked.verb === "model fetch";
  return command && `${isAll ? "All of it" : `For ${ARTICLES[kind]}`}: \`${command}\``;
}

/** `gemma:2b` is a model in one registry and an image in another; only what stands without a host can have been meant otherwise. */
function otherRegistry(asked: Asked): string | undefined {
  const kind = asked.verb.startsWith("model ") ? "image" : "model";
  const command = commandFor(kind, asked, asked.args[0]);
  const where = kind === "model" ? OLLAMA_REGISTRY : DOCKER_HUB;
  return command && `If ${ARTICLES[kind]} of ${where} is meant: \`${command}\``;
}

function isBare({ verb, args: [name = ""] }: Asked): boolean {
  return (
    /^(?:image|model) /.test(verb) &&
    !/^(?:docker-daemon|ocifile):/.test(name) &&
    /^(?:ollama:\/\/)?(?:[\w-]+\/)?[a-z0-9][\w.-]*(?::[\w.-]+)?$/.test(name)
  );
}

/** The name of the same thing as the verbs of `kind` read it; undefined where they cannot. */
function nameFor(kind: Kind, { verb, args: [typed = ""] }: Asked): string | undefined {
  const isModelVerb = verb.startsWith("model ");
  const meant = read(isModelVerb ? parseModelName : parseReference, typed);
  if (meant === undefined) return undefined;
  const parse = kind === "model" ? parseModelName : parseReference;
  const canonical = formatReference(meant);
  return [typed, canonical].find((name) => {
    const other = read(parse, name);
    return other !== undefined && formatReference(other) === canonical;
  });
}

function read(parse: (text: string) => Reference, text: string): Reference | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

/** A place that was typed is named again where it is of the same kind. */
function commandFor(kind: Kind, asked: Asked, name: string | undefined): string | undefined {
  const words =
    name && (isBringing(asked) ? bringing(kind, name, placeOf(asked)) : asking(kind, name, asked));
  return words ? shellLine(["granary", ...words, ...asked.way]) : undefined;
}

function isBringing({ verb }: Asked): boolean {
  return /(?:extract|pull|fetch)$/.test(verb);
}

function placeOf({ verb, args: [, place], flags }: Asked): string {
  const isDirectory = verb !== "model fetch" || flags.all === true;
  return isDirectory && place !== undefined ? place : "DIRECTORY";
}

function bringing(kind: Kind, name: string, place: string): readonly string[] {
  if (kind === "model") return ["model", "fetch", name, place, "--all"];
  return kind === "image" ? ["image", "extract", name, place] : ["artifact", "pull", name, place];
}

/** What both nouns have; there is nothing that only tells about an artifact. */
function asking(kind: Kind, name: string, { verb }: Asked): readonly string[] | undefined {
  return kind === "artifact" ? undefined : [kind, verb.endsWith("digest") ? "digest" : "inspect", name];
}
