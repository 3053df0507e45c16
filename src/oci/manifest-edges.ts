/**
 * Owns the edges of a manifest: each thing that it lists, with the part that this plays there, its platform, size and type. It reads documents
 * of strangers: what cannot be read has no edges, and texts are bounded. Pure.
 */
import { isGranaryError } from "../errors.ts";
import { type Digest, isDigest, possibleSize } from "./digest.ts";
import { asObject, type JsonObject, objects, parseJsonObject, sizeOf, textOf } from "./json-value.ts";
import type { Manifest } from "./manifest.ts";
import { viewManifest } from "./manifest-view.ts";
import { canonicalPlatform, formatPlatform } from "./platform.ts";

/** `child`: a manifest that an index lists. `config`, `layer`: of an image, a model or an artifact. */
export type EdgeRole = "child" | "config" | "layer";

export type Edge = {
  readonly digest: Digest;
  readonly role: EdgeRole;
  /** Of a child: "linux/arm64/v8", as the index states it. */
  readonly platform: string | undefined;
  /** Bytes, as stated. */
  readonly size: number | undefined;
  readonly mediaType: string | undefined;
};

const MOST_TEXT = 128;

/** In the order of the document; what is listed twice in one part counts once. */
export function edgesOf({ bytes, mediaType }: Pick<Manifest, "bytes" | "mediaType">): Edge[] {
  const document = isReadable(bytes, mediaType) ? parseJsonObject(bytes) : undefined;
  if (document === undefined) return [];
  const { config, layers, blobs, manifests, fsLayers } = document;
  const found = [
    ...objects(manifests).flatMap((part) => edgeOf("child", part)),
    ...edgeOf("config", asObject(config)),
    ...[...objects(layers), ...objects(blobs)].flatMap((part) => edgeOf("layer", part)),
    ...objects(fsLayers).flatMap((part) => edgeOf("layer", { digest: part.blobSum })),
  ];
  return [...new Map(found.map((edge) => [`${edge.role} ${edge.digest}`, edge])).values()];
}

function isReadable(bytes: Uint8Array, mediaType: string): boolean {
  try {
    viewManifest(bytes, mediaType);
    return true;
  } catch (error) {
    if (isGranaryError(error, "manifest-invalid")) return false;
    throw error;
  }
}

function edgeOf(role: EdgeRole, part: JsonObject | undefined): Edge[] {
  const digest = textOf(part?.digest);
  if (digest === undefined || !isDigest(digest)) return [];
  const size = possibleSize(digest, sizeOf(part?.size));
  const platform = role === "child" ? platformIn(asObject(part?.platform)) : undefined;
  return [{ digest, role, platform, size, mediaType: bounded(textOf(part?.mediaType)) }];
}

function platformIn(platform: JsonObject | undefined): string | undefined {
  const os = textOf(platform?.os);
  const architecture = textOf(platform?.architecture);
  if (os === undefined || architecture === undefined) return undefined;
  const variant = textOf(platform?.variant);
  return bounded(
    formatPlatform(canonicalPlatform({ os, architecture, ...(variant !== undefined && { variant }) })),
  );
}

function bounded(text: string | undefined): string | undefined {
  return text === undefined || text.length > MOST_TEXT ? undefined : text;
}
