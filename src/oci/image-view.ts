/**
 * Owns the parsed views that the client verbs work on: the children of an index, the config and layers of an image, and what an image config
 * says. It is stricter than manifest-view.ts, which must accept what it does not know: here every descriptor has a digest and a size, or the
 * document is `manifest-invalid`.
 */
import { GranaryError } from "../errors.ts";
import type { Descriptor, Platform } from "./descriptor.ts";
import { type Digest, isDigest } from "./digest.ts";
import { asObject, type JsonObject, objects, parseJsonObject, sizeOf, textOf } from "./json-value.ts";
import { viewManifest } from "./manifest-view.ts";
import { isIndexType, OCTET_STREAM } from "./media-types.ts";
import { canonicalPlatform } from "./platform.ts";
import { isSchema1 } from "./schema1.ts";

const IMAGE_CONFIG_TYPES = new Set([
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
]);

export type IndexView = { readonly kind: "index"; readonly children: readonly Descriptor[] };

export type ImageView = {
  readonly kind: "image";
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** The manifest's own, else its config's media type. */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
};

export type ImageConfig = {
  readonly platform: Platform;
  /** Digests of the uncompressed layers, bottom first; empty for an artifact. */
  readonly diffIds: readonly Digest[];
  readonly document: JsonObject;
};

/** Throws `manifest-invalid` for what is neither an index nor an image, for schema 1, and for a descriptor without digest or size. */
export function viewImage(manifest: {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}): IndexView | ImageView {
  const { mediaType, artifactType } = viewManifest(manifest.bytes, manifest.mediaType);
  const document = parseJsonObject(manifest.bytes) ?? {};
  if (isSchema1(mediaType)) {
    throw damaged(
      "it is of schema 1, which registries no longer support; push the image again with a newer tool",
    );
  }
  if (isIndexType(mediaType))
    return { kind: "index", children: objects(document.manifests).map(parseDescriptor) };
  const config = asObject(document.config);
  if (config === undefined) throw damaged("it has no config");
  return {
    kind: "image",
    mediaType,
    config: parseDescriptor(config),
    layers: objects(document.layers).map(parseDescriptor),
    artifactType,
    annotations: textsOf(document.annotations),
  };
}

/**
 * What a config blob says. Throws `manifest-invalid` if the config of an image is not a JSON object, or has a diff ID that is not a digest.
 * The config of an artifact may be anything ("{}", YAML, nothing at all). If it cannot be read, the result has an unknown platform, no
 * layers and an empty `document`.
 */
export function viewImageConfig(bytes: Uint8Array, mediaType?: string): ImageConfig {
  const isImage = mediaType === undefined || isImageConfigType(mediaType);
  const document = parseJsonObject(bytes);
  if (document === undefined && isImage) throw damaged("its config is not a JSON object");
  const diffIds = diffIdsOf(document);
  if (diffIds === undefined && isImage) throw damaged("its config lists a diff ID that is not a digest");
  return {
    platform: parsePlatformFields(document ?? {}),
    diffIds: diffIds ?? [],
    document: document ?? {},
  };
}

/** True for models of the Ollama registry too: they use Docker's type. */
export function isImageConfigType(mediaType: string): boolean {
  return IMAGE_CONFIG_TYPES.has(mediaType);
}

function diffIdsOf(document: JsonObject | undefined): readonly Digest[] | undefined {
  const listed = asObject(document?.rootfs)?.diff_ids;
  const diffIds: readonly unknown[] = Array.isArray(listed) ? listed : [];
  const isRight = diffIds.every((text): text is Digest => typeof text === "string" && isDigest(text));
  return isRight ? diffIds : undefined;
}

/** Throws `manifest-invalid`. */
export function parseDescriptor(fields: JsonObject): Descriptor {
  const digest = textOf(fields.digest);
  const size = sizeOf(fields.size);
  if (digest === undefined || !isDigest(digest))
    throw damaged(`"${String(fields.digest).slice(0, 80)}" is not a digest`);
  if (size === undefined) throw damaged(`${digest} has no size`);
  const platform = asObject(fields.platform);
  const artifactType = textOf(fields.artifactType);
  return {
    digest,
    size,
    mediaType: textOf(fields.mediaType) ?? OCTET_STREAM,
    ...(platform !== undefined && { platform: parsePlatformFields(platform) }),
    ...(artifactType !== undefined && { artifactType }),
    ...(fields.annotations !== undefined && { annotations: textsOf(fields.annotations) }),
  };
}

/** A missing field becomes "unknown", which matches no wanted platform. */
function parsePlatformFields(fields: JsonObject): Platform {
  const variant = textOf(fields.variant);
  return canonicalPlatform({
    os: textOf(fields.os) ?? "unknown",
    architecture: textOf(fields.architecture) ?? "unknown",
    ...(variant !== undefined && { variant }),
  });
}

function textsOf(value: unknown): Record<string, string> {
  const entries = Object.entries(asObject(value) ?? {});
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

function damaged(reason: string): GranaryError {
  return new GranaryError("manifest-invalid", `The manifest cannot be used: ${reason}.`);
}
