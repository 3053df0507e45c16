/**
 * Owns the grammar of names in Ollama registries (types/model/name.go of ollama): upper case, `_` and `-` are legal in
 * every part, `.` in the model, and a repository is exactly namespace/model. Pure. (Tags follow the OCI grammar.)
 */

const REPOSITORY = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,79}\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/;

/** True for `library/llama3.2` and `bartowski/Llama-3.2-3B-Instruct-GGUF`. */
export function isModelRepository(text: string): boolean {
  return REPOSITORY.test(text);
}
