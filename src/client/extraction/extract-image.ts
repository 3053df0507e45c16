/**
 * Owns the verb that unpacks an image into a directory: its layers are streamed, checked and put over each other in a staging
 * directory beside the target, which takes the target's place when all of it is right. It never writes a flattened archive.
 */
import { GranaryError } from "../../errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { BlobReader } from "../../source.ts";
import type { VerbOptions } from "../fetching/verb-options.ts";
import type { Image } from "../images/image.ts";
import { diskTreeWriter } from "./disk-tree-writer.ts";
import { finishTree } from "./finish-tree.ts";
import { freeSpace } from "./free-space.ts";
import { type LayerSupply, openSupply } from "./layer-supply.ts";
import { type Layer, layersOf } from "./layers-of.ts";
import { Limits } from "./limits.ts";
import { openStaging, type Staging } from "./staging.ts";
import { streamLayer } from "./stream-layer.ts";
import { impliedDirectory } from "./tree.ts";
import type { TreeWriter } from "./tree-writer.ts";
import { Warnings } from "./warnings.ts";
import type { Workshop } from "./workshop.ts";
import { WriteQueue } from "./write-queue.ts";

export type ExtractOptions = VerbOptions & {
  /** Puts the image in the place of a directory that is not empty, which is removed. Default false. */
  readonly replace?: boolean;
  /** Most bytes that the layers may unpack to. Default 128 GiB, or the free space of the target's disk if that is less. */
  readonly maxBytes?: number;
  /** Most entries of all layers together. Default 1,000,000. */
  readonly maxEntries?: number;
  /** Keeps setuid and setgid bits, and the sticky bit of files. Default false; that of directories is always kept. */
  readonly keepSpecialBits?: boolean;
  /**
   * Where compressed layers lie while they are fetched, and stay after an interruption. Default: a directory beside the target,
   * `.<target>.granary-layers`. A Source that is local needs none.
   */
  readonly temporaryDirectory?: string;
  /** Opens a layer for reading, in place of the image's Source. Layers are opened one after another, bottom first. */
  readonly openLayer?: (descriptor: Descriptor, layerIndex: number) => BlobReader;
  /** Brings the tree to disk; a stand-in can take its place. */
  readonly writer?: TreeWriter;
};

export type Extraction = {
  /** Where the image lies now. */
  readonly directory: string;
  readonly layers: number;
  /** Entries of all layers, also those that an upper layer hides. */
  readonly entries: number;
  /** Of all layers, unpacked. */
  readonly bytes: number;
  /** Sentences about what was left out: devices, extended attributes, and the like. */
  readonly warnings: readonly string[];
};

const MOST_BYTES = 128 * 2 ** 30;
const MOST_ENTRIES = 1_000_000;

/**
 * Unpacks `image` into `directory`, which must be absent or empty unless `replace` is set; its parent must exist. Modes and
 * modification times are those of the image (setuid and setgid only with `keepSpecialBits`), owners are not: everything belongs to whoever
 * runs this. Extended attributes and
 * devices are left out, with a warning. Nothing is written outside the target whatever the image says, and on any failure the
 * target is as it was; layers that were fetched before an interruption are kept for the next call.
 *
 * Throws `path-invalid` (the target cannot be used), `manifest-invalid` (the image is damaged, or its names lead outside),
 * `digest-mismatch` (a layer is not what the image lists), `store-full` (no room, or more than `maxBytes` or `maxEntries`),
 * `store-damaged`, `config-invalid` (another extraction to this target is under way), `aborted`, and what the Source throws.
 */
export async function extractImage(
  image: Image,
  directory: string,
  options: ExtractOptions = {},
): Promise<Extraction> {
  const layers = layersOf(image);
  const staging = await openStaging(directory, options.replace ?? false);
  try {
    const extraction = await fetchAndUnpack(image, layers, staging, options);
    await staging.commit();
    return { ...extraction, directory };
  } catch (error) {
    await staging.discard();
    throw error;
  }
}

async function fetchAndUnpack(
  image: Image,
  layers: readonly Layer[],
  { path, target }: Staging,
  options: ExtractOptions,
): Promise<Omit<Extraction, "directory">> {
  const supply = await openSupply(image, target, options);
  try {
    const extraction = await unpack(supply, layers, path, options);
    await supply.discard();
    return extraction;
  } catch (error) {
    const isAborted = options.signal?.aborted === true;
    const kept = await supply.giveUp(isAborted ? stopped(target) : error);
    throw isAborted ? stopped(target, kept) : error;
  }
}

async function unpack(
  supply: LayerSupply,
  layers: readonly Layer[],
  path: string,
  options: ExtractOptions,
): Promise<Omit<Extraction, "directory">> {
  const shop = await furnish(layers, path, options);
  try {
    await unpackLayers(shop, supply, layers, options);
    await finishTree(shop, (done, total) => options.onProgress?.({ phase: "extract", done, total }));
  } finally {
    // What is being written must not come back after the directory was removed.
    await shop.queue.settle();
  }
  const { bytes, entries } = shop.limits;
  return { layers: layers.length, entries, bytes, warnings: shop.warnings.list() };
}

async function furnish(
  layers: readonly Layer[],
  directory: string,
  options: ExtractOptions,
): Promise<Workshop> {
  const free = await freeSpace(directory, totalSize(layers));
  const { maxBytes = Math.min(MOST_BYTES, free), maxEntries = MOST_ENTRIES, signal } = options;
  return {
    directory,
    root: impliedDirectory(0),
    writer: options.writer ?? diskTreeWriter,
    queue: new WriteQueue(),
    limits: new Limits(maxBytes, maxEntries),
    warnings: new Warnings(),
    keepsSpecialBits: options.keepSpecialBits === true,
    unmade: new Set(),
    check: () => {
      if (signal?.aborted === true) throw stopped(directory);
    },
  };
}

/** One count of compressed bytes over all layers. */
async function unpackLayers(
  shop: Workshop,
  supply: LayerSupply,
  layers: readonly Layer[],
  { onProgress, signal }: ExtractOptions,
): Promise<void> {
  const total = totalSize(layers);
  let done = 0;
  const onBytes = (count: number) => {
    done += count;
    onProgress?.({ phase: "fetch", done, total });
  };
  onBytes(0);
  for (const [index, layer] of layers.entries()) {
    shop.check();
    const reader = supply.open(layer.descriptor, index);
    await whileOpen(reader, signal, () => streamLayer(shop, reader, layer, index, onBytes));
  }
}

/** Closes `reader` in the end, and at once when `signal` says so: a parked read then throws. */
async function whileOpen(
  reader: BlobReader,
  signal: AbortSignal | undefined,
  work: () => Promise<void>,
): Promise<void> {
  const close = () => reader.close();
  signal?.addEventListener("abort", close);
  try {
    await work();
  } finally {
    signal?.removeEventListener("abort", close);
    reader.close();
  }
}

function totalSize(layers: readonly Layer[]): number {
  return layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
}

function stopped(target: string, kept?: string): GranaryError {
  const rest =
    kept === undefined
      ? "nothing is kept"
      : `the layers fetched so far are kept in ${kept}, and the same command goes on from there`;
  return new GranaryError("aborted", `Stopped extracting to ${target}: ${rest}.`, { target });
}
