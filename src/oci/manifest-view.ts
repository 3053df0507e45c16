/**
 * Owns the parsed view of a manifest: its true media type and what it lists. A view never replaces the bytes, and this
 * is the only place that reads manifest JSON. Hostile documents end in `manifest-invalid`, never in a guess.
 */
import { GranaryError } from "../errors.ts";
import { type Digest, isDigest, possibleSize } from "./digest.ts";
import {
  asObject,
  excessOf,
  JSON_BOUNDS,
  type JsonObject,
  objects,
  parseJsonObject,
  sizeOf,
  textOf,
} from "./json-value.ts";
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  DOCKER_SCHEMA1,
  isIndexType,
  OCI_INDEX,
  OCI_MANIFEST,
  OCTET_STREAM,
} from "./media-types.ts";

export type ManifestLink = { readonly digest: Digest; readonly size: number | undefined };

export type ManifestView = {
  /** From the document where it says one, else from the header, else from the document's shape. */
  readonly mediaType: string;
  /** True when the document itself says its type: then nobody else's word for it counts. */
  readonly statesType: boolean;
  /**
   * Config, layers, children, with the sizes that are stated of them. Not the subject: a document may be said to be about anything, also
   * about what lies elsewhere.
   */
  readonly links: readonly ManifestLink[];
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, unknown>> | undefined;
  readonly children: readonly JsonObject[];
};

/** Types that a server sends when it does not know better (docs/protocol.md#manifest-types). */
const GENERIC = new Set([
  "",
  "text/plain",
  "application/json",
  OCTET_STREAM,
  "text/html",
  "binary/octet-stream",
]);

/** RFC 6838, 4.2: what can stand in a header, and no more. */
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/i;

/**
 * Throws `manifest-invalid`: no JSON object, no legal media type, or an index and an image at once, by its content or by
 * what it calls itself (CVE-2021-41190).
 */
export function viewManifest(bytes: Uint8Array, contentType: string | undefined): ManifestView {
  const document = parseObject(bytes);
  const mediaType = trueMediaType(document, contentType);
  refuseAmbiguity(document, mediaType);
  const children = objects(document.manifests);
  const parts = [document.config, ...objects(document.layers), ...objects(document.blobs), ...children];
  return {
    mediaType,
    statesType: textOf(document.mediaType) !== undefined,
    links: [...parts.flatMap(linkOf), ...objects(document.fsLayers).flatMap(schema1Link)],
    artifactType: textOf(document.artifactType) ?? textOf(asObject(document.config)?.mediaType),
    annotations: asObject(document.annotations),
    children,
  };
}

/**
 * True for what is no danger and no manifest that we know of: no JSON object, or one of a shape of its own. Its bytes may be handed on where
 * a digest vouches for them.
 */
export function isForeign(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || excessOf(bytes, JSON_BOUNDS.document) !== undefined) return false;
  const { manifests, layers, config, mediaType } = parseJsonObject(bytes) ?? {};
  return ![manifests, layers, config, mediaType].some(isSet);
}

/** What a header calls something foreign, where that can be said again. */
export function foreignTypeOf(contentType: string | undefined): string {
  const type = manifestTypeOf(contentType) ?? "";
  return isMediaType(type) ? type : OCTET_STREAM;
}

export function isMediaType(text: string): boolean {
  return MEDIA_TYPE.test(text);
}

/** The type of a Content-Type header without parameters, or undefined when it says nothing about a manifest. */
export function manifestTypeOf(contentType: string | undefined): string | undefined {
  const type = (contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  return GENERIC.has(type) ? undefined : type;
}

function trueMediaType(document: JsonObject, contentType: string | undefined): string {
  const mediaType = textOf(document.mediaType) ?? manifestTypeOf(contentType) ?? typeOfShape(document);
  if (MEDIA_TYPE.test(mediaType)) return mediaType;
  throw new GranaryError("manifest-invalid", "The manifest states a media type that is none.");
}

function refuseAmbiguity({ manifests, layers, config }: JsonObject, mediaType: string): void {
  const isIndex = isSet(manifests) || isIndexType(mediaType);
  const isImage =
    isSet(layers) || isSet(config) || mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST;
  if (!isIndex || !isImage) return;
  throw new GranaryError(
    "manifest-invalid",
    "The manifest is an index and an image at once (CVE-2021-41190).",
  );
}

/** Some writers say null where they mean that there is none. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function typeOfShape(document: JsonObject): string {
  if (document.schemaVersion === 1) return DOCKER_SCHEMA1;
  const children = objects(document.manifests);
  const isDocker = [document.config, ...children].some((part) =>
    textOf(asObject(part)?.mediaType)?.startsWith("application/vnd.docker."),
  );
  if (Array.isArray(document.manifests)) return isDocker ? DOCKER_LIST : OCI_INDEX;
  if (document.config !== undefined || document.layers !== undefined)
    return isDocker ? DOCKER_MANIFEST : OCI_MANIFEST;
  throw new GranaryError("manifest-invalid", "The document is neither an image manifest nor an index.");
}

function linkOf(part: unknown): ManifestLink[] {
  const descriptor = asObject(part);
  const digest = textOf(descriptor?.digest);
  if (digest === undefined || !isDigest(digest)) return [];
  return [{ digest, size: possibleSize(digest, sizeOf(descriptor?.size)) }];
}

function schema1Link(layer: JsonObject): ManifestLink[] {
  const digest = textOf(layer.blobSum);
  return digest !== undefined && isDigest(digest) ? [{ digest, size: possibleSize(digest, undefined) }] : [];
}

function parseObject(bytes: Uint8Array): JsonObject {
  const document = parseJsonObject(bytes);
  if (document !== undefined) return document;
  const excess = excessOf(bytes, JSON_BOUNDS.document);
  if (excess !== undefined) throw new GranaryError("manifest-invalid", `The manifest ${excess}.`);
  throw new GranaryError("manifest-invalid", "The manifest is not a JSON object.");
}
