/**
 * Owns NamePattern: what a person means by `alpine`, `alpine:3.*`, `ghcr.io/org/**`, `ollama:llama3.2` or `*@sha256:…`, the same in every
 * command, rule and setting. A pattern is always at one upstream or at any; which one a short name means is decided here, and one that could
 * mean two is refused with both. Pure: it knows the names of upstreams, and nothing of what is stored.
 *
 *     pattern    = [ upstream "/" ] name [ ":" tag ] [ "@" digest ]  |  digest
 *     upstream   = a configured name or alias; with `*` in it, each that it matches
 *     name       = parts with "/" between them: `*` stands for any characters of one part, `**` for any number of parts
 *     tag        = a tag, `*` in it stands for any characters; without one: every tag
 *     digest     = sha256:<64 hex>, or its beginning with `*` behind it
 *
 * Without an upstream a name is Docker's short name (`alpine` is docker.io/library/alpine, `org/app` is docker.io/org/app), `ollama:` before
 * it makes it Ollama's. `*` or `**` alone, and `**` as the first part, stand for any upstream.
 */
import { GranaryError } from "../errors.ts";
import { isDigest } from "../oci/digest.ts";
import { cutName, isRepositoryName, isTag, looksLikeHost } from "../oci/reference.ts";
import { isModelRepository, OLLAMA_REGISTRY } from "../ollama/model-name.ts";
import { globMatches, pathMatches } from "./glob.ts";
import { didYouMean, nearNames } from "./near-names.ts";
import type { RoutedUpstream } from "./routing.ts";

export type NamePattern = {
  /** The one spelling of it, which parses to the same pattern: it is what is stored and shown. */
  readonly text: string;
  /** Name of an upstream, or with `*` in it: "*" for any. */
  readonly upstream: string;
  /** Whole repository names at that upstream, with `*` and `**`. */
  readonly repository: string;
  /** undefined for every tag, and for what has none. */
  readonly tag: string | undefined;
  /** A digest, or the beginning of one with `*` behind it. */
  readonly digest: string | undefined;
};

/** What a pattern can match: a repository, a tag of it, a digest in it. */
export type PatternName = {
  readonly upstream: string;
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
};

/** Longer texts are no names: a host, a repository, a tag and a digest together are shorter. */
const MOST_LENGTH = 800;
/** Docker takes such a name for the ID of an image. */
const IMAGE_ID = /^[a-f0-9]{64}$/;
const ANY = "*";
const EVERYTHING = "**";

/**
 * The pattern that `text` means where `upstreams` are configured. `isKnown` tells whether something is stored under a name; with it a short
 * name that is known at Ollama's registry alone means that one, and one that is known at both registries is refused. Throws
 * `reference-invalid` (no pattern; or ambiguous, with the candidates) and `route-unknown` (no such upstream, with what comes near).
 */
export function parsePattern(
  text: string,
  upstreams: Iterable<RoutedUpstream>,
  isKnown: (where: { readonly upstream: string; readonly repository: string }) => boolean = () => false,
): NamePattern {
  const [first, ...others] = readingsOf(text, [...upstreams]);
  if (first === undefined) throw invalid(text, "there is no name in it");
  const known = [first, ...others].filter(isKnown);
  if (known.length > 1) throw ambiguous(text, known);
  return known[0] ?? first;
}

/** True when `pattern` stands for `name`. A pattern with a tag (a digest) does not match a name without one. */
export function matches(pattern: NamePattern, name: PatternName): boolean {
  const { upstream, repository, tag, digest } = pattern;
  if (!globMatches(upstream, name.upstream) || !pathMatches(repository, name.repository)) return false;
  if (tag !== undefined && (name.tag === undefined || !globMatches(tag, name.tag))) return false;
  return digest === undefined || (name.digest !== undefined && globMatches(digest, name.digest));
}

/** Every reading of `text`, the one that counts where nothing is known first. Throws as `parsePattern`. */
export function readingsOf(text: string, upstreams: readonly RoutedUpstream[]): NamePattern[] {
  if (text.length > MOST_LENGTH) throw invalid(text, `it is longer than ${MOST_LENGTH} characters`);
  const written = splitPattern(text);
  const { name } = written;
  if (written.scheme === "ollama") return [ollamaPattern(text, written, upstreams)];
  if (name === ANY || name === EVERYTHING) return [patternOf(ANY, EVERYTHING, written)];
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const rest = name.slice(slash + 1);
  if (first === EVERYTHING) return [anywhere(text, ANY, name, written)];
  if (first.includes("*") && first.includes("."))
    return [anywhere(text, hostGlob(text, first, upstreams), rest, written)];
  const named = upstreamNamed(first, upstreams);
  if (named !== undefined) return [atUpstream(text, named, rest, written)];
  if (looksLikeHost(first)) throw unknownUpstream(text, first, upstreams);
  return shortNames(text, written, upstreams);
}

type Written = {
  readonly scheme: "ollama" | undefined;
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
};

function splitPattern(text: string): Written {
  if (isDigestGlob(text)) return { scheme: undefined, name: EVERYTHING, tag: undefined, digest: text };
  const [, scheme, bare = ""] = /^(?:(ollama):(?:\/\/)?|docker:\/\/|oci:\/\/)?(.*)$/s.exec(text) ?? [];
  const { name, tag, digest } = cutName(bare);
  if (name === "") throw invalid(text, "there is no name in it");
  if (tag !== undefined && !isTag(plainOf(tag))) throw invalid(text, `"${shorten(tag)}" cannot be a tag`);
  if (digest !== undefined && !isDigestGlob(digest))
    throw invalid(
      text,
      `"${shorten(digest)}" is not a digest: expected sha256:<64 hex>, or its beginning and *`,
    );
  return { scheme: scheme === "ollama" ? scheme : undefined, name, tag, digest };
}

function isDigestGlob(text: string): boolean {
  return isDigest(text) || /^(?:sha256:[0-9a-f]{1,63}|sha512:[0-9a-f]{1,127})\*$/.test(text);
}

function ollamaPattern(text: string, written: Written, upstreams: readonly RoutedUpstream[]): NamePattern {
  const { name } = written;
  const slash = name.indexOf("/");
  const host = upstreamNamed(slash < 0 ? "" : name.slice(0, slash), upstreams);
  // Ollama's own names may have a host in front: ollama:hf.co/bartowski/model.
  if (host !== undefined) return atUpstream(text, host, name.slice(slash + 1), written);
  const models = upstreams.filter(({ names }) => names === "ollama");
  const own = models.find((upstream) => upstream.name === OLLAMA_REGISTRY);
  if (own === undefined && models.length > 1)
    throw ambiguous(
      text,
      models.map((at) => atUpstream(text, at, name, written)),
    );
  const upstream = own ?? models[0];
  if (upstream !== undefined) return atUpstream(text, upstream, name, written);
  throw new GranaryError(
    "route-unknown",
    `"${shorten(text)}" is a model of Ollama, and no upstream for those is configured.`,
  );
}

/** The name at Docker Hub, then at Ollama's registry: as far as these are configured, and the name is legal there. */
function shortNames(text: string, written: Written, upstreams: readonly RoutedUpstream[]): NamePattern[] {
  const { name } = written;
  const itself = upstreamNamed(name, upstreams);
  if (itself !== undefined)
    throw invalid(
      text,
      `it is the name of an upstream; write ${itself.name}/** for everything that comes from there`,
    );
  if (IMAGE_ID.test(name))
    throw invalid(text, "it looks like the ID of an image; a digest is written sha256:<64 hex>");
  const hubs = upstreams.filter(({ names }) => names === "hub");
  const models = upstreams.filter((upstream) => upstream.name === OLLAMA_REGISTRY);
  const readings = [...hubs, ...models].filter(
    (upstream) => ruleBrokenBy(upstream.names, name) === undefined,
  );
  if (readings.length === 0) throw noShortName(text, written, upstreams, hubs);
  const [first, ...others] = readings.map((upstream) => atUpstream(text, upstream, name, written));
  if (hubs.length > 1) throw ambiguous(text, first === undefined ? others : [first, ...others]);
  return first === undefined ? others : [first, ...others];
}

function noShortName(
  text: string,
  written: Written,
  upstreams: readonly RoutedUpstream[],
  hubs: readonly RoutedUpstream[],
): GranaryError {
  const broken = ruleBrokenBy("hub", written.name);
  if (hubs.length > 0 && broken !== undefined) return invalid(text, broken);
  return ambiguous(
    text,
    upstreams.map(({ name }) => ({ text: `${name}/${text}` })),
  );
}

function atUpstream(
  text: string,
  { name, names }: RoutedUpstream,
  given: string,
  written: Written,
): NamePattern {
  const isSingle = !given.includes("/") && given !== EVERYTHING;
  const broken = ruleBrokenBy(names, given);
  if (broken !== undefined) throw invalid(text, broken);
  // As clients have it: alpine is library/alpine at Docker Hub, llama3.2 is library/llama3.2 at Ollama's registry.
  const repository = isSingle && names !== "oci" ? `library/${given}` : given;
  return patternOf(name, repository, written);
}

function anywhere(text: string, upstream: string, repository: string, written: Written): NamePattern {
  const broken = ruleBrokenBy("oci", repository) && ruleBrokenBy("ollama", repository);
  if (broken !== undefined) throw invalid(text, broken);
  return patternOf(upstream, repository, written);
}

function patternOf(upstream: string, repository: string, { tag, digest }: Written): NamePattern {
  const name = upstream === ANY ? repository : `${upstream}/${repository}`;
  const text = `${name}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
  return { text, upstream, repository, tag, digest };
}

/** Why `glob` matches no repository that such an upstream can have; undefined where it can. */
function ruleBrokenBy(names: RoutedUpstream["names"], glob: string): string | undefined {
  const parts = glob.split("/");
  if (parts.at(-1) === "")
    return `something must follow the last "/": ${shorten(glob)}** is everything below it`;
  const mixed = parts.find((part) => part.includes("**") && part !== EVERYTHING);
  if (mixed !== undefined)
    return `"**" stands for whole parts of a name, and "${shorten(mixed)}" is a part; write * there`;
  const isFixed = !parts.includes(EVERYTHING);
  const plain = parts.map(plainOf);
  if (names === "ollama") {
    const isLegal = plain.every((part) => isModelRepository(`a/${part}`)) && (!isFixed || parts.length <= 2);
    return isLegal
      ? undefined
      : `"${shorten(glob)}" cannot be the name of a model there: expected [namespace/]model`;
  }
  if (isRepositoryName(plain.join("/"))) return undefined;
  const isCase = glob !== glob.toLowerCase();
  return `"${shorten(glob)}" cannot be a repository name${isCase ? ": those of images are lower case" : ""}`;
}

/** With a letter in place of each star: legal where the pattern can match something legal. */
function plainOf(glob: string): string {
  return glob.replaceAll(/\*+/g, "a");
}

function upstreamNamed(written: string, upstreams: readonly RoutedUpstream[]): RoutedUpstream | undefined {
  const wanted = written.toLowerCase();
  return upstreams.find(({ name, aliases }) =>
    [name, ...aliases].some((known) => known.toLowerCase() === wanted),
  );
}

function hostGlob(text: string, written: string, upstreams: readonly RoutedUpstream[]): string {
  const glob = written.toLowerCase();
  if (upstreams.some(({ name }) => globMatches(glob, name))) return glob;
  throw unknownUpstream(text, written, upstreams);
}

function unknownUpstream(text: string, host: string, upstreams: readonly RoutedUpstream[]): GranaryError {
  const near = nearNames(
    host,
    upstreams.flatMap(({ name, aliases }) => [name, ...aliases]),
  );
  return new GranaryError(
    "route-unknown",
    `"${shorten(text)}": no upstream "${shorten(host)}" is configured.${didYouMean(near)}`,
    { target: shorten(host) },
  );
}

function ambiguous(text: string, candidates: readonly { readonly text: string }[]): GranaryError {
  const shown = candidates.slice(0, 12).map((candidate) => candidate.text);
  const last = shown.pop();
  const list = shown.length === 0 ? last : `${shown.join(", ")} or ${last}`;
  return new GranaryError(
    "reference-invalid",
    `"${shorten(text)}" can mean more than one thing. Write ${list}.`,
    { target: shorten(text), saysWhatToDo: true },
  );
}

function invalid(text: string, reason: string): GranaryError {
  return new GranaryError("reference-invalid", `"${shorten(text)}" is not a pattern: ${reason}.`, {
    found: shorten(text),
  });
}

/** For messages: short, and without characters that would act on a terminal or begin a line of a log. */
function shorten(text: string): string {
  const plain = text.slice(0, 101).replace(/\p{Cc}/gu, "?");
  return plain.length > 100 ? `${plain.slice(0, 100)}…` : plain;
}
