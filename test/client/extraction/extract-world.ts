/** Owns images made of archives in memory for tests of extraction, and the trees they become, in a form to compare. */
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  type Extraction,
  type UnpackOptions,
  unpackImage,
} from "../../../src/client/extraction/unpack-image.ts";
import type { Image } from "../../../src/client/images/image.ts";
import type { Descriptor } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { viewImage, viewImageConfig } from "../../../src/oci/image-view.ts";
import { OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import type { BlobReader, Source } from "../../../src/source.ts";
import { type TarItem, tarLayer } from "../../support/tar-layer.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

export type LayerSpec = readonly TarItem[] | Buffer;

export type ImageSpec = {
  readonly pack?: (archive: Buffer) => Buffer;
  readonly mediaType?: string;
  /** In place of the true ones. */
  readonly diffIds?: readonly string[];
};

export type MemoryImage = { readonly image: Image; readonly blobs: ReadonlyMap<string, Buffer> };

export function memoryImage(layers: readonly LayerSpec[], spec: ImageSpec = {}): MemoryImage {
  const { pack = gzipSync, mediaType = "application/vnd.oci.image.layer.v1.tar+gzip" } = spec;
  const archives = layers.map((layer) => (Buffer.isBuffer(layer) ? layer : tarLayer(layer)));
  const packed = archives.map((archive) => pack(archive));
  const blobs = new Map(packed.map((bytes) => [digestOf(bytes), bytes] as const));
  const diffIds = spec.diffIds ?? archives.map((archive) => digestOf(archive));
  const configBytes = Buffer.from(
    JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: diffIds } }),
  );
  const describe = (type: string, bytes: Buffer) => ({
    mediaType: type,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: describe("application/vnd.oci.image.config.v1+json", configBytes),
      layers: packed.map((archive) => describe(mediaType, archive)),
    }),
  );
  const manifest = { digest: digestOf(bytes), mediaType: OCI_MANIFEST, bytes };
  const view = viewImage(manifest);
  if (view.kind !== "image") throw new Error("it is an image");
  const reference = { registry: "memory.test", repository: "org/app", tag: "latest", digest: undefined };
  const config = viewImageConfig(configBytes);
  return {
    image: { source: noSource, reference, index: undefined, manifest, view, configBytes, config },
    blobs,
  };
}

/** Extracts into `root` below a new directory, or into `directory`. */
export async function extractLayers(
  layers: readonly LayerSpec[],
  { directory, ...options }: UnpackOptions & { readonly directory?: string } = {},
  spec: ImageSpec = {},
): Promise<{ readonly root: string; readonly extraction: Extraction; readonly tree: Tree }> {
  const { image, blobs } = memoryImage(layers, spec);
  const root = directory ?? join(await tempDirectory(), "root");
  const openLayer = ({ digest }: Descriptor) => memoryReader(blobs.get(digest) ?? Buffer.alloc(0));
  const extraction = await unpackImage(image, root, { openLayer, ...options });
  return { root, extraction, tree: await treeOf(root) };
}

/** Gives `step` bytes at a time. */
export function memoryReader(bytes: Buffer, step = 10_000): BlobReader {
  let at = 0;
  return {
    async read(into) {
      const part = bytes.subarray(at, at + Math.min(into.length, step));
      into.set(part);
      at += part.length;
      return part.length;
    },
    close: () => undefined,
  };
}

/** By path: "644 content", "-> target", "755/" with four digits of mode where the first is not 0. */
export type Tree = Readonly<Record<string, string>>;

/** Everything below `root`; the root itself is not in it. */
export async function treeOf(root: string): Promise<Tree> {
  const described = await Promise.all(
    (await namesBelow(root)).map(async (name) => [name, await describeNode(join(root, name))] as const),
  );
  return Object.fromEntries(described.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `readdir` with `recursive` follows links to directories. */
async function namesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  const nested = await Promise.all(
    entries.map(async (entry) =>
      entry.isDirectory()
        ? [entry.name, ...(await namesBelow(join(root, entry.name))).map((name) => join(entry.name, name))]
        : [entry.name],
    ),
  );
  return nested.flat();
}

async function describeNode(path: string): Promise<string> {
  const found = await lstat(path);
  const mode = (found.mode & 0o7777).toString(8);
  if (found.isSymbolicLink()) return `-> ${await readlink(path)}`;
  if (found.isDirectory()) return `${mode}/`;
  return `${mode} ${await readFile(path, "utf8")}`;
}

const unused = () => {
  throw new Error("layers come from openLayer");
};
const noSource: Source = {
  isLocal: true,
  manifest: unused,
  headManifest: unused,
  blobSize: unused,
  origin: unused,
  close: async () => undefined,
};
