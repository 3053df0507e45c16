/**
 * Owns the parsed view of a model's manifest: config and layers with their roles, in order. Unknown types are kept under their
 * own names, never dropped. A view never replaces the bytes.
 */
import { type ErrorFacts, GranaryError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { viewImage } from "../oci/image-view.ts";
import { objects, parseJsonObject, textOf } from "../oci/json-value.ts";
import type { Manifest } from "../oci/manifest.ts";
import { isStated } from "../oci/platform.ts";

const PREFIX = "application/vnd.ollama.image.";

/** Docker's model registry names the same things in its own words (model-spec of Docker Model Runner). */
const DOCKER_ROLES: ReadonlyMap<string, string> = new Map([
  ["application/vnd.docker.ai.gguf.v3", "model"],
  ["application/vnd.docker.ai.mmproj", "projector"],
  ["application/vnd.docker.ai.license", "license"],
  ["application/vnd.docker.ai.chat.template.jinja", "template"],
]);

export type ModelLayer = Descriptor & {
  /** What it is for, by its media type: "model", "template", "license", ... */
  readonly role: string;
  /** Of tensor and json layers: the name that a stranger gave it. Not a path until it was checked. */
  readonly name?: string;
};

export type ModelView = {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly config: Descriptor;
  /** In the manifest's order. */
  readonly layers: readonly ModelLayer[];
  /** Config and layers, bytes: the size that Ollama lists. */
  readonly size: number;
};

/** Throws `manifest-invalid`: an index, another schema version, or a descriptor without digest or size. */
export function viewModel(manifest: Pick<Manifest, "bytes" | "mediaType">): ModelView {
  const view = viewImage(manifest);
  if (view.kind === "index")
    throw isOfPlatforms(view.children)
      ? unfit("it is an index for several platforms", { isRather: "image" })
      : unfit("it is an index of several manifests; name one of them by its digest");
  const document = parseJsonObject(manifest.bytes) ?? {};
  if (document.schemaVersion !== 2) {
    throw unfit(`its schema version is ${JSON.stringify(document.schemaVersion) ?? "missing"}, expected 2`);
  }
  const names = objects(document.layers).map(({ name }) => textOf(name));
  const layers = view.layers.map((layer, index) => asModelLayer(layer, names[index]));
  const size = [view.config, ...layers].reduce((sum, part) => sum + part.size, 0);
  return { schemaVersion: 2, mediaType: view.mediaType, config: view.config, layers, size };
}

function asModelLayer(layer: Descriptor, name: string | undefined): ModelLayer {
  return { ...layer, role: roleOf(layer.mediaType), ...(name !== undefined && { name }) };
}

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

const IMAGE_LAYER = /^application\/vnd\.(?:oci\.image\.layer|docker\.image\.rootfs)\./;

/** What a manifest with these layers is: those of images are layers of a file system, and one of a model's at least has a role. */
export function kindOf(layers: readonly { readonly mediaType: string }[]): "image" | "model" | "artifact" {
  if (layers.some(({ mediaType }) => mediaType.startsWith(PREFIX) || DOCKER_ROLES.has(mediaType)))
    return "model";
  return layers.length > 0 && layers.every(({ mediaType }) => IMAGE_LAYER.test(mediaType))
    ? "image"
    : "artifact";
}

/** Images have one; models have none. */
function isOfPlatforms(children: readonly Descriptor[]): boolean {
  return children.some(({ platform }) => platform !== undefined && isStated(platform));
}

function unfit(reason: string, facts?: ErrorFacts): GranaryError {
  return new GranaryError("manifest-invalid", `The manifest is not a model's: ${reason}.`, facts);
}
