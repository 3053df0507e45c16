/**
 * Owns the reading of what `docker save` wrote before it wrote OCI layouts: manifest.json, a config, and layers, plain or
 * compressed. It has no manifest in a registry's sense, so one is made here; names in it are only looked up in the tar.
 */
import { createHash } from "node:crypto";
import { GranaryError } from "../../errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { algorithmOf, type Digest, digestOf, finishDigest, isDigest } from "../../oci/digest.ts";
import { viewImageConfig } from "../../oci/image-view.ts";
import { type JsonObject, objects, parseJson, textOf } from "../../oci/json-value.ts";
import { DOCKER_MANIFEST } from "../../oci/media-types.ts";
import type { Reference } from "../../oci/reference.ts";
import {
  type ArchiveFiles,
  chunksOf,
  MAX_LIST_BYTES,
  readStored,
  type StoredBytes,
  storedInMemory,
} from "./archive-files.ts";
import type { ArchivedImage } from "./archive-source.ts";
import { type Compression, compressionOf } from "./decompress.ts";
import { chooseNamed, type NamedImage, referenceOf, referencesIn } from "./named-image.ts";

type SavedImage = NamedImage & { readonly config: string; readonly layers: readonly string[] };

/** Configs carry the history and labels, which are seldom more than some KB. */
const MAX_CONFIG_BYTES = 8 * 1024 * 1024;
const CONFIG_TYPE = "application/vnd.docker.container.image.v1+json";
const LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar";
const LAYER_TYPES: Record<Compression, string> = {
  none: LAYER_TYPE,
  gzip: `${LAYER_TYPE}.gzip`,
  zstd: `${LAYER_TYPE}.zstd`,
};

/**
 * The image `wanted`, or the only one; undefined when `files` have no manifest.json. Compressed layers are read once, for
 * their digests. Throws `manifest-invalid`, `not-found` (no such image, or a part of it is missing), `reference-invalid` (see
 * chooseNamed), `aborted`.
 */
export async function findInSave(
  files: ArchiveFiles,
  wanted: string | undefined,
  signal?: AbortSignal,
): Promise<ArchivedImage | undefined> {
  const stored = await files.open("manifest.json");
  if (stored === undefined) return undefined;
  const images = parseList(await readStored(stored, MAX_LIST_BYTES, "manifest.json"), files.path);
  if (images.length === 0) throw damaged(files.path, "its manifest.json lists no image");
  const [image] = chooseNamed(images, wanted, files.path);
  if (image === undefined) return undefined;
  const configBytes = await readConfig(files, image);
  if (wanted !== undefined && isDigest(wanted)) checkId(configBytes, wanted, files.path);
  return await describeImage(files, image, configBytes, signal);
}

/** Every image, with the names that it has; undefined when `files` have no manifest.json. Throws as `findInSave`. */
export async function imagesInSave(
  files: ArchiveFiles,
  signal?: AbortSignal,
): Promise<
  readonly { readonly references: readonly Reference[]; readonly image: ArchivedImage }[] | undefined
> {
  const stored = await files.open("manifest.json");
  if (stored === undefined) return undefined;
  const images = parseList(await readStored(stored, MAX_LIST_BYTES, "manifest.json"), files.path);
  const found: { readonly references: readonly Reference[]; readonly image: ArchivedImage }[] = [];
  for (const saved of images) {
    const image = await describeImage(files, saved, await readConfig(files, saved), signal);
    found.push({ references: referencesIn(saved.names.slice(0, -1)), image });
  }
  return found;
}

function parseList(bytes: Uint8Array, path: string): SavedImage[] {
  return objects(parseJson(bytes)).map((fields) => {
    const config = textOf(fields.Config);
    const layers = textsOf(fields.Layers);
    if (config === undefined || layers === undefined) {
      throw damaged(path, "its manifest.json lists an image without config or layers");
    }
    const names = textsOf(fields.RepoTags ?? []) ?? [];
    return { names: [...names, idOf(config)], identity: config, config, layers };
  });
}

/** Both writers name the config's file by its digest, which is what Docker calls the image's ID. */
function idOf(config: string): string {
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(config)?.[1];
  return hex === undefined ? config : `sha256:${hex}`;
}

async function readConfig(files: ArchiveFiles, { config }: SavedImage): Promise<Uint8Array> {
  return await readStored(await openPart(files, config), MAX_CONFIG_BYTES, "The config of the image");
}

/** The name of the file may be wrong: whoever asks for an image by its ID gets exactly that one, or an error. */
function checkId(configBytes: Uint8Array, expected: Digest, path: string): void {
  const found = digestOf(configBytes, algorithmOf(expected));
  if (found === expected) return;
  const message = `The image that ${path} calls ${expected} is ${found}.`;
  throw new GranaryError("digest-mismatch", message, { expected, found, target: path });
}

async function describeImage(
  files: ArchiveFiles,
  image: SavedImage,
  configBytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<ArchivedImage> {
  const { diffIds } = viewImageConfig(configBytes);
  if (diffIds.length !== image.layers.length) {
    throw damaged(files.path, `its config has ${diffIds.length} diff IDs for ${image.layers.length} layers`);
  }
  const places = new Map<Digest, string>();
  const layers: Descriptor[] = [];
  for (const [index, diffId] of diffIds.entries()) {
    const name = image.layers[index] ?? "";
    const layer = await describeLayer(await openPart(files, name), diffId, signal);
    places.set(layer.digest, name);
    layers.push(layer);
  }
  const config = { mediaType: CONFIG_TYPE, size: configBytes.length, digest: digestOf(configBytes) };
  const manifest = encode({ schemaVersion: 2, mediaType: DOCKER_MANIFEST, config, layers });
  const made = new Map([configBytes, manifest].map((bytes) => [digestOf(bytes), bytes]));
  return {
    reference: referenceOf(image.names.slice(0, -1), digestOf(manifest)),
    mediaType: DOCKER_MANIFEST,
    async open(digest) {
      const bytes = made.get(digest);
      if (bytes !== undefined) return storedInMemory(bytes);
      const name = places.get(digest);
      return name === undefined ? undefined : await files.open(name);
    },
  };
}

/** A plain layer is named by its diff ID: who reads it checks that it is right. */
async function describeLayer(
  stored: StoredBytes,
  diffId: Digest,
  signal: AbortSignal | undefined,
): Promise<Descriptor> {
  const compression = await compressionOf(stored);
  const digest = compression === "none" ? diffId : await digestOfStored(stored, signal);
  return { mediaType: LAYER_TYPES[compression], size: stored.size, digest };
}

async function digestOfStored(stored: StoredBytes, signal: AbortSignal | undefined): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of chunksOf(stored, signal === undefined ? {} : { signal })) hash.update(chunk);
  return finishDigest(hash, "sha256");
}

async function openPart(files: ArchiveFiles, name: string): Promise<StoredBytes> {
  const stored = await files.open(name);
  if (stored !== undefined) return stored;
  const message = `${files.path} lacks ${name.slice(0, 200)}, which its manifest.json names: the archive is incomplete.`;
  throw new GranaryError("not-found", message, { target: files.path });
}

function textsOf(value: unknown): string[] | undefined {
  const isTexts = Array.isArray(value) && value.every((item) => typeof item === "string");
  return isTexts ? value : undefined;
}

function encode(document: JsonObject): Uint8Array {
  return Buffer.from(JSON.stringify(document));
}

function damaged(path: string, reason: string): GranaryError {
  return new GranaryError("manifest-invalid", `${path} cannot be used: ${reason}.`, { target: path });
}
