/** Owns what the layers of a model are for, by media type (ollama/ollama server/images.go). Pure. */

const PREFIX = "application/vnd.ollama.image.";

/** Docker's model registry names the same things in its own words (model-spec of Docker Model Runner). */
const DOCKER_ROLES: ReadonlyMap<string, string> = new Map([
  ["application/vnd.docker.ai.gguf.v3", "model"],
  ["application/vnd.docker.ai.mmproj", "projector"],
  ["application/vnd.docker.ai.license", "license"],
  ["application/vnd.docker.ai.chat.template.jinja", "template"],
]);

/**
 * "model", "projector", "adapter", "template", "system", "params", "messages", "license", "tensor", "embed", ...: what
 * follows the prefix. A type of another kind keeps its own name, with nothing in it that a file name could not carry.
 */
export function roleOf(mediaType: string): string {
  const known = DOCKER_ROLES.get(mediaType);
  if (known !== undefined) return known;
  const role = mediaType.startsWith(PREFIX) ? mediaType.slice(PREFIX.length) : mediaType;
  return role.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^\.+/, "") || "unknown";
}
