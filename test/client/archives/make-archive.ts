/**
 * Owns archives made by hand, entry by entry, for what no honest tool writes; and a small image to put into them. Layers are
 * tars, plain or compressed as told.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Header, pack } from "tar-stream";
import { digestOf, encodedOf } from "../../../src/oci/digest.ts";
import { patternBytes } from "../../support/pattern.ts";

export type Entry = { readonly name: string; readonly content?: Uint8Array | string } & Partial<Header>;

/** A tar with exactly these entries, in this order. */
export async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = "", ...header } of entries) {
    if (header.type === undefined || header.type === "file") tar.entry(header, Buffer.from(content));
    else tar.entry(header);
  }
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

export type MadeImage = {
  readonly config: Buffer;
  readonly manifest: Buffer;
  /** As stored. */
  readonly layers: readonly Buffer[];
  readonly plainLayers: readonly Buffer[];
};

const PACKERS = { none: (bytes: Buffer) => bytes, gzip: gzipSync, zstd: zstdCompressSync };
export type Packing = keyof typeof PACKERS;

/** An image with one layer per packing; `seed` makes its content. */
export async function makeImage(packings: readonly Packing[], seed = 1): Promise<MadeImage> {
  const plainLayers = await Promise.all(
    packings.map((_, index) =>
      tarOf([{ name: `file-${index}`, content: patternBytes(seed * 100 + index, 0, 5_000) }]),
    ),
  );
  const layers = plainLayers.map((layer, index) => PACKERS[packings[index] ?? "none"](layer));
  const config = json({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: plainLayers.map((layer) => digestOf(layer)) },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: described("application/vnd.oci.image.config.v1+json", config),
    layers: layers.map((layer) => described("application/vnd.oci.image.layer.v1.tar", layer)),
  });
  return { config, manifest, layers, plainLayers };
}

function described(mediaType: string, bytes: Uint8Array, more: object = {}) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length, ...more };
}

export function manifestEntry({ manifest }: MadeImage, more: object = {}) {
  return described("application/vnd.oci.image.manifest.v1+json", manifest, more);
}

/** The name that a layout, and the containerd of Docker, give it. */
export function named(name: string) {
  return { annotations: { "org.opencontainers.image.ref.name": name } };
}

/** The entries of an OCI layout with the blobs of `images`, listed by `manifests`. */
export function layoutEntries(images: readonly MadeImage[], manifests: readonly object[]): Entry[] {
  const blobs = images.flatMap(({ config, manifest, layers }) => [config, manifest, ...layers]);
  return [
    { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: "index.json", content: json({ schemaVersion: 2, manifests }) },
    ...blobs.map((content) => ({ name: `blobs/sha256/${encodedOf(digestOf(content))}`, content })),
  ];
}

/** The entries of a `docker save` before 25: `images` by their RepoTags, layers as `N-M/layer.tar`. */
export function saveEntries(
  images: readonly (readonly [tags: readonly string[], image: MadeImage])[],
): Entry[] {
  const list = images.map(([RepoTags, image], index) => ({
    Config: configName(image),
    RepoTags,
    Layers: image.layers.map((_, layer) => `${index}-${layer}/layer.tar`),
  }));
  return [
    ...images.flatMap(([, image], index) => [
      { name: configName(image), content: image.config },
      ...image.layers.map((content, layer) => ({ name: `${index}-${layer}/layer.tar`, content })),
    ]),
    { name: "manifest.json", content: json(list) },
  ];
}

export function configName({ config }: MadeImage): string {
  return `${encodedOf(digestOf(config))}.json`;
}

export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** Writes the tar of `entries` to `directory` and says where. */
export async function writeTar(directory: string, entries: readonly Entry[]): Promise<string> {
  const path = join(directory, "image.tar");
  await writeFile(path, await tarOf(entries));
  return path;
}

/** Writes the plain files among `entries` below `directory` and returns it. */
export async function writeFolder(directory: string, entries: readonly Entry[]): Promise<string> {
  for (const { name, content = "" } of entries) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content);
  }
  return directory;
}
