/**
 * Owns the parsed view of a manifest: its true media type and what it lists. A view never replaces the bytes. A hostile document ends in
 * `manifest-invalid`, never in a guess.
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
  /** The one that the document states, else that of the header, else the one that the document's members show. */
  readonly mediaType: string;
  /** True when the document itself states its type: what a header says is then ignored. */
  readonly statesType: boolean;
  /**
   * Config, layers and children, with the sizes that the document states. Without the subject: anybody can write any digest there, also of
   * content in another repository.
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

/** RFC 6838, section 4.2: only what can be sent in a header. */
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/i;

/**
 * Throws `manifest-invalid` for what is not a JSON object, for an illegal media type, and for a document that is an index and an image at
 * once, by its members or its stated type (CVE-2021-41190).
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
 * True for bytes that are not a manifest of any known kind and cannot be mistaken for one: not a JSON object, or one without the members of a
 * manifest. They may be passed on if their digest is right.
 */
export function isForeign(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || excessOf(bytes, JSON_BOUNDS.document) !== undefined) return false;
  const { manifests, layers, config, mediaType } = parseJsonObject(bytes) ?? {};
  return ![manifests, layers, config, mediaType].some(isSet);
}

/** The media type for foreign bytes: the header's if it is legal, else application/octet-stream. */
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
  throw new GranaryError(
    "manifest-invalid",
    "The manifest states something as its media type that is not one.",
  );
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

/** Some tools write null for a missing member. */
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
