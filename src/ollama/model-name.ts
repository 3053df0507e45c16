/**
 * Owns the grammar of names in Ollama registries (types/model/name.go of ollama): upper case, `_` and `-` are legal in
 * every part, `.` in model and tag, and a repository is exactly namespace/model. Pure.
 */

const REPOSITORY = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,79}\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/;

/** 80 characters at most for Ollama; a whole file name may be a tag at hf.co, so the OCI limit is what counts. */
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** True for `library/llama3.2` and `bartowski/Llama-3.2-3B-Instruct-GGUF`. */
export function isModelRepository(text: string): boolean {
  return REPOSITORY.test(text);
}

export function isModelTag(text: string): boolean {
  return TAG.test(text);
}
