/** Owns what the layers of a model are for, by media type (ollama.md; server/images.go of ollama). Pure. */

const PREFIX = "application/vnd.ollama.image.";

/** The weights: `ollamaModelBlob` looks for these. */
export const MODEL_LAYER = `${PREFIX}model`;

/**
 * "model", "projector", "adapter", "template", "system", "params", "messages", "license", "tensor", "embed", ...: what
 * follows the prefix. A type of another kind keeps its own name, with nothing in it that a file name could not carry.
 */
export function roleOf(mediaType: string): string {
  const role = mediaType.startsWith(PREFIX) ? mediaType.slice(PREFIX.length) : mediaType;
  return role.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^\.+/, "");
}
