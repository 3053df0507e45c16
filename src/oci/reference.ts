/**
 * Owns Reference: what a person typed to name an image, parsed once, and its canonical text. The grammar is the one of
 * github.com/distribution/reference, with Docker Hub's defaults. Pure; the names of models are ollama/model-name.ts's.
 */
import { GranaryError } from "../errors.ts";
import { type Digest, isDigest } from "./digest.ts";
import { isRepositoryName, isTag } from "./names.ts";

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

const HUB_NAMES = new Set([DOCKER_HUB, "index.docker.io", "registry-1.docker.io"]);
const SCHEME = /^(?:oci|ollama|ocifile|docker):\/\//;
const LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-fA-F:.]+\\])(?::([0-9]{1,5}))?$`);

/**
 * The image that `text` names: `[host[:port]/]repository[:tag][@digest]`, a scheme such as `oci://` in front is fine (R10).
 * Without tag and digest the tag is "latest". Throws `reference-invalid`.
 */
export function parseReference(text: string): Reference {
  const { name, tag, digest } = splitReference(text);
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isHost = /[.:[]/.test(first) || first === "localhost";
  const registry = canonicalHost(isHost ? first : DOCKER_HUB);
  const path = isHost ? name.slice(slash + 1) : name;
  const repository = registry === DOCKER_HUB && !path.includes("/") ? `library/${path}` : path;
  if (!isHostName(registry)) throw invalid(text, `"${registry}" is not a host name with an optional port`);
  if (!isRepositoryName(repository)) throw invalid(text, repositoryRule(path));
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

/** True for `host`, `host:port` and `[v6]:port`. */
export function isHostName(text: string): boolean {
  const match = HOST.exec(text);
  return (
    match !== null && text.length <= 255 && Number(match[1] ?? 1) >= 1 && Number(match[1] ?? 1) <= 65_535
  );
}

/** Cuts tag and digest off; the default tag comes in where neither is. Throws `reference-invalid`. */
export function splitReference(text: string): {
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
} {
  const bare = text.replace(SCHEME, "");
  const at = bare.indexOf("@");
  const digest = at < 0 ? undefined : bare.slice(at + 1);
  const tagged = at < 0 ? bare : bare.slice(0, at);
  // A colon before the last slash belongs to a port.
  const colon = tagged.indexOf(":", tagged.lastIndexOf("/") + 1);
  const tag = colon < 0 ? undefined : tagged.slice(colon + 1);
  const name = colon < 0 ? tagged : tagged.slice(0, colon);
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

function canonicalHost(host: string): string {
  const lower = host.toLowerCase();
  return HUB_NAMES.has(lower) ? DOCKER_HUB : lower;
}

function repositoryRule(path: string): string {
  const isUpper = path !== path.toLowerCase();
  const rule = isUpper
    ? "repository names of images are lower case"
    : "expected [host[:port]/]name[:tag][@digest]";
  return `"${shorten(path)}" is not a repository name, ${rule}`;
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
