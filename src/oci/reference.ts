/**
 * Owns Reference: what a person typed to name an image, parsed once, its canonical text, and the grammars of its parts: hosts, repository
 * names and tags. They are those of github.com/distribution/reference, with Docker Hub's defaults; where one is narrower, a comment says
 * why. Pure. The names of models have a wider grammar of their own: ollama/model-name.ts.
 */
import { isIPv6 } from "node:net";
import { GranaryError } from "../errors.ts";
import { type Digest, isDigest } from "./digest.ts";

/** Where manifests and blobs lie. */
export type Repository = {
  /** `host` or `host:port`; Docker Hub is always "docker.io". */
  readonly registry: string;
  /** "library/alpine". */
  readonly repository: string;
};

/** At least one of `tag` and `digest` is set; where both are, the digest decides. */
export type Reference = Repository & {
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
};

export const DOCKER_HUB = "docker.io";
export const DEFAULT_TAG = "latest";

/** The longest name in DNS has 253 characters (RFC 1035, 2.3.4); with a port it has 259. */
const MAX_HOST_LENGTH = 259;

/** distribution-spec, "Pulling manifests". */
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** Many clients allow host and name together 255 characters (distribution-spec, "Pulling manifests"). */
const MAX_REPOSITORY_LENGTH = 255;

const HUB_NAMES = new Set([DOCKER_HUB, "index.docker.io", "registry-1.docker.io"]);
const SCHEME = /^(?:oci|ollama|ocifile|docker):\/\//;
const LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[([0-9a-fA-F:]+)\\])(?::([1-9][0-9]{0,4}))?$`);
/** Docker takes such a name for the ID of an image on this machine, and so might who reads it: it is refused there too. */
const IMAGE_ID = /^[a-f0-9]{64}$/;

/**
 * The image that `text` names: `[host[:port]/]repository[:tag][@digest]`, a scheme such as `oci://` in front is fine.
 * What stands before the first slash is a host when it has a dot or a colon in it or is "localhost"; a colon after the last
 * slash begins a tag: "host:5000/x" has a port, "name:5000" a tag. Without tag and digest the tag is "latest". Throws
 * `reference-invalid`.
 */
export function parseReference(text: string): Reference {
  const { name, tag, digest } = splitReference(text);
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  // Docker also takes `Foo/x` for a host, by its upper case. Hosts are lower case here, where `foo/x` is Docker Hub's.
  const isHost = /[.:[]/.test(first) || first.toLowerCase() === "localhost";
  if (isHost && !isHostName(first)) throw invalid(text, hostRule(first));
  const registry = isHost ? canonicalHost(first) : DOCKER_HUB;
  const path = isHost ? name.slice(slash + 1) : name;
  const repository = registry === DOCKER_HUB && !path.includes("/") ? `library/${path}` : path;
  if (!isRepositoryName(repository) || IMAGE_ID.test(text)) throw invalid(text, repositoryRule(path));
  return { registry, repository, tag, digest };
}

/** The canonical text, which parses back to the same value. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  const withTag = tag === undefined ? "" : `:${tag}`;
  const withDigest = digest === undefined ? "" : `@${digest}`;
  return `${registry}/${repository}${withTag}${withDigest}`;
}

/** What a registry is asked for: the digest where there is one. */
export function wantedOf({ tag, digest }: Reference): string {
  return digest ?? tag ?? DEFAULT_TAG;
}

/** The same repository, another manifest of it. */
export function atDigest({ registry, repository }: Repository, digest: Digest): Reference {
  return { registry, repository, tag: undefined, digest };
}

export function isRepositoryName(text: string): boolean {
  return text.length <= MAX_REPOSITORY_LENGTH && REPOSITORY.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** True for what people write as a registry before a name: it has a dot or a port, or is "localhost". Repositories may have such names too. */
export function looksLikeHost(segment: string): boolean {
  return segment.includes(".") || segment.includes(":") || segment === "localhost";
}

/** True for `host`, `host:port` and `[v6]:port`: no zone, no IPv4 inside IPv6, and a port that can be connected to. */
export function isHostName(text: string): boolean {
  const match = text.length <= MAX_HOST_LENGTH ? HOST.exec(text) : null;
  if (match === null) return false;
  const [, v6, port = "1"] = match;
  return Number(port) <= 65_535 && (v6 === undefined || isIPv6(v6));
}

/** Why `host` is none. */
export function hostRule(host: string): string {
  return `"${shorten(host)}" is not a host name with an optional port`;
}

/** A name as it is written, taken apart at its signs; nothing is checked. */
export function cutName(bare: string): {
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
} {
  const at = bare.indexOf("@");
  const digest = at < 0 ? undefined : bare.slice(at + 1);
  const tagged = at < 0 ? bare : bare.slice(0, at);
  // A colon before the last slash belongs to a port.
  const colon = tagged.indexOf(":", tagged.lastIndexOf("/") + 1);
  const tag = colon < 0 ? undefined : tagged.slice(colon + 1);
  return { name: colon < 0 ? tagged : tagged.slice(0, colon), tag, digest };
}

/** Cuts tag and digest off; the default tag comes in where neither is. Throws `reference-invalid`. */
export function splitReference(text: string): {
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
} {
  const { name, tag, digest } = cutName(text.replace(SCHEME, ""));
  if (name === "") throw invalid(text, "there is no name in it");
  if (tag !== undefined && !isTag(tag)) throw invalid(text, `"${shorten(tag)}" is not a tag`);
  if (digest !== undefined && !isDigest(digest)) {
    throw invalid(text, `"${shorten(digest)}" is not a digest: expected sha256:<64 hex>`);
  }
  return { name, tag: tag ?? (digest === undefined ? DEFAULT_TAG : undefined), digest };
}

/** The error for a text that names nothing. */
export function invalid(text: string, reason: string): GranaryError {
  return new GranaryError("reference-invalid", `"${shorten(text)}" is not a reference: ${reason}.`, {
    found: shorten(text),
  });
}

/** One spelling of a registry's host: lower case, and one name for Docker Hub. */
export function canonicalHost(host: string): string {
  const lower = host.toLowerCase();
  return HUB_NAMES.has(lower) ? DOCKER_HUB : lower;
}

function repositoryRule(path: string): string {
  return `"${shorten(path)}" is not a repository name, ${ruleBrokenBy(path)}`;
}

function ruleBrokenBy(path: string): string {
  if (path !== path.toLowerCase()) return "repository names of images are lower case";
  if (path.length > MAX_REPOSITORY_LENGTH - "library/".length)
    return `it is longer than ${MAX_REPOSITORY_LENGTH} characters`;
  if (IMAGE_ID.test(path))
    return "it looks like the ID of an image; a digest is written name@sha256:<64 hex>";
  return "expected [host[:port]/]name[:tag][@digest]";
}

/** For messages: short, and without characters that would act on a terminal or begin a line of a log. */
function shorten(text: string): string {
  const plain = text.slice(0, 101).replace(/\p{Cc}/gu, "?");
  return plain.length > 100 ? `${plain.slice(0, 100)}…` : plain;
}
