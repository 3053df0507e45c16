/**
 * Owns the grammar of names in Ollama registries (types/model/name.go of ollama): upper case, `_` and `-` are legal in
 * every part, `.` in the model, and a repository is exactly namespace/model. Pure. (Tags follow the OCI grammar.)
 */
import { invalid, isHostName, type Reference, splitReference } from "../oci/reference.ts";

export const OLLAMA_REGISTRY = "registry.ollama.ai";
const DEFAULT_NAMESPACE = "library";

const REPOSITORY = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,79}\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/;

/** True for `library/llama3.2` and `bartowski/Llama-3.2-3B-Instruct-GGUF`. */
export function isModelRepository(text: string): boolean {
  return REPOSITORY.test(text);
}

/**
 * The model that `text` names: `[[host[:port]/]namespace/]model[:tag][@digest]`; a scheme such as `ollama://` in front is
 * fine (R10). Defaults: registry.ollama.ai, "library", "latest". Throws `reference-invalid`.
 */
export function parseModelName(text: string): Reference {
  const { name, tag, digest } = splitReference(text);
  const parts = name.split("/");
  const [model = "", namespace = DEFAULT_NAMESPACE, host = OLLAMA_REGISTRY] = parts.toReversed();
  const repository = `${namespace}/${model}`;
  if (parts.length > 3 || !isModelRepository(repository)) {
    throw invalid(text, "expected [[host[:port]/]namespace/]model[:tag][@digest]");
  }
  if (!isHostName(host)) throw invalid(text, `"${host}" is not a host name with an optional port`);
  return { registry: host.toLowerCase(), repository, tag, digest };
}
