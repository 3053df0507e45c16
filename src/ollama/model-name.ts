/**
 * Owns the grammar of names in Ollama registries (types/model/name.go of ollama): upper case, `_` and `-` are legal in
 * every part, `.` in the model, and a repository is exactly namespace/model, each of at most 80 characters, as is the tag.
 * Pure.
 */
import { hostRule, invalid, isHostName, type Reference, splitReference, wantedOf } from "../oci/reference.ts";

export const OLLAMA_REGISTRY = "registry.ollama.ai";
const DEFAULT_NAMESPACE = "library";
const MAX_TAG_LENGTH = 80;

const REPOSITORY = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,79}\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/;
const RULE = "expected [[host[:port]/]namespace/]model[:tag][@digest]";

/** True for `library/llama3.2` and `bartowski/Llama-3.2-3B-Instruct-GGUF`. */
export function isModelRepository(text: string): boolean {
  return REPOSITORY.test(text);
}

/**
 * The model that `text` names: `[[host[:port]/]namespace/]model[:tag][@digest]`; a scheme such as `ollama://` in front is
 * fine. Defaults: registry.ollama.ai, "library", "latest". With fewer than three parts there is no host in it: Ollama
 * reads `x/y` as namespace and model, whatever x looks like. Throws `reference-invalid`.
 */
export function parseModelName(text: string): Reference {
  const { name, tag, digest } = splitReference(text);
  const parts = name.split("/");
  const [model = "", namespace = DEFAULT_NAMESPACE, host = OLLAMA_REGISTRY] = parts.toReversed();
  const repository = `${namespace}/${model}`;
  if (parts.length > 3 || !isModelRepository(repository)) throw invalid(text, ruleBrokenBy(parts));
  if (!isModelHost(host)) throw invalid(text, hostRule(host));
  if (tag !== undefined && tag.length > MAX_TAG_LENGTH)
    throw invalid(text, `its tag is longer than ${MAX_TAG_LENGTH} characters`);
  return { registry: host.toLowerCase(), repository, tag, digest };
}

/** The three parts that callers of older tools expect. */
export type ImageParts = {
  /** "latest" when none is given; the digest where the name has one. */
  readonly tag: string;
  /** The namespace, "library" when none is given. */
  readonly repository: string;
  readonly image: string;
};

/**
 * `gemma:2b` -> `{ tag: "2b", repository: "library", image: "gemma" }`. A host in front is parsed and left out: `parseModelName`
 * tells it. Throws `reference-invalid`.
 */
export function parseImageParts(name: string): ImageParts {
  const reference = parseModelName(name);
  const slash = reference.repository.indexOf("/");
  return {
    tag: wantedOf(reference),
    repository: reference.repository.slice(0, slash),
    image: reference.repository.slice(slash + 1),
  };
}

/**
 * Ollama allows `_` in hosts, which names of Compose services have. Its limit of 350 characters is beyond what DNS can name,
 * so hosts end where those of images do; IPv6 in brackets, which it refuses, is fine here.
 */
function isModelHost(host: string): boolean {
  return isHostName(host.replaceAll("_", "u"));
}

function ruleBrokenBy(parts: readonly string[]): string {
  const [host = "", model] = parts;
  const isHostAndModel = parts.length === 2 && /[.:]/.test(host) && isModelHost(host);
  return isHostAndModel ? `after a host comes a namespace: ${host}/${DEFAULT_NAMESPACE}/${model}` : RULE;
}
