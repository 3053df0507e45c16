/**
 * Owns the verb that unpacks an image into a directory: its layers are streamed, checked and put over each other in a staging
 * directory beside the target, which takes the target's place when all of it is right. It never writes a flattened archive.
 */
import { formatBytes } from "../../bytes/units.ts";
import { GranaryError } from "../../errors.ts";
import { spaceAround } from "../../files/disk.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { BlobReader } from "../../source.ts";
import { onAbort } from "../../waiting/abort.ts";
import { PhaseProgress, type VerbOptions } from "../fetching/progress.ts";
import type { Image } from "../images/image.ts";
import { ExtractedTree } from "./extracted-tree.ts";
import { ExtractionCaps } from "./extraction-caps.ts";
import { finishTree, unfinishedOf } from "./finish-tree.ts";
import { type LayerSupply, openSupply } from "./layer-supply.ts";
import { type Layer, layersOf } from "./layers-of.ts";
import { openStaging, type Staging } from "./staging.ts";
import { streamLayer } from "./stream-layer.ts";
import { diskTreeWriter, type TreeWriter } from "./tree-writer.ts";

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
};

/** What the library leaves to itself: other layers, and another way to the disk. */
export type UnpackOptions = ExtractOptions & {
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
 * runs this. Extended attributes and devices are left out, with a warning. Nothing is written outside the target whatever the image
 * says, and on any failure the target is as it was; layers that were fetched before an interruption are kept for the next call.
 *
 * Throws `path-invalid` (the target cannot be used), `manifest-invalid` (the image is damaged, or its names lead outside),
 * `digest-mismatch` (a layer is not what the image lists), `store-full` (no room, or more than `maxBytes` or `maxEntries`),
 * `store-damaged`, `config-invalid` (another extraction to this target is under way), `aborted`, and what the Source throws.
 */
export async function unpackImage(
  image: Image,
  directory: string,
  options: UnpackOptions = {},
): Promise<Extraction> {
  const layers = layersOf(image);
  const staging = await openStaging(directory, options.replace ?? false);
  try {
    const { progress, ...counts } = await fetchAndUnpack(image, layers, staging, options);
    await staging.commit();
    progress.end();
    return { ...counts, directory };
  } catch (error) {
    await staging.discard();
    throw error;
  }
}

/** What lies in the staging directory when all of it is right, and the progress whose end is told once it is in place. */
type Unpacked = Omit<Extraction, "directory"> & { readonly progress: PhaseProgress };

async function fetchAndUnpack(
  image: Image,
  layers: readonly Layer[],
  { path, target }: Staging,
  options: UnpackOptions,
): Promise<Unpacked> {
  const supply = await openSupply(image, target, options);
  const { signal } = options;
  try {
    const unpacked = await unpack(supply, layers, path, options);
    await supply.discard();
    return unpacked;
  } catch (error) {
    if (signal?.aborted !== true) {
      await supply.giveUp(error);
      throw error;
    }
    const kept = await supply.giveUp(stoppedError(target, signal));
    throw stoppedError(target, signal, kept);
  }
}

async function unpack(
  supply: LayerSupply,
  layers: readonly Layer[],
  path: string,
  options: UnpackOptions,
): Promise<Unpacked> {
  const tree = await newTree(layers, path, options);
  try {
    await unpackLayers(tree, supply, layers, options);
    const unfinished = unfinishedOf(tree);
    const { links, directories, ready } = unfinished;
    const total = links.length + directories.length + ready;
    const progress = new PhaseProgress("extract", total, options.onProgress);
    progress.add(0);
    progress.add(ready);
    await finishTree(tree, unfinished, (count) => progress.add(count));
    const { bytes, entries } = tree.caps;
    return { layers: layers.length, entries, bytes, warnings: tree.warnings.list(), progress };
  } finally {
    // What is being written must not come back after the directory was removed.
    await tree.queue.settle();
  }
}

async function newTree(
  layers: readonly Layer[],
  directory: string,
  options: UnpackOptions,
): Promise<ExtractedTree> {
  const free = await roomFor(totalSize(layers), directory);
  const { maxBytes = Math.min(MOST_BYTES, free), maxEntries = MOST_ENTRIES, signal } = options;
  return new ExtractedTree({
    directory,
    writer: options.writer ?? diskTreeWriter,
    caps: new ExtractionCaps(maxBytes, maxEntries),
    keepsSpecialBits: options.keepSpecialBits === true,
    check: () => {
      if (signal?.aborted === true) throw stoppedError(directory, signal);
    },
  });
}

/** Free bytes on the disk of `directory`. Throws `store-full` where the image cannot fit even as it is compressed. */
async function roomFor(least: number, directory: string): Promise<number> {
  const { free } = await spaceAround(directory);
  if (free >= least) return free;
  const message = `The layers alone have ${formatBytes(least)}, and the disk has room for ${formatBytes(free)}: make room, or name another place.`;
  throw new GranaryError("store-full", message, { expected: least, found: free });
}

/** Progress is one count of compressed bytes over all layers. */
async function unpackLayers(
  tree: ExtractedTree,
  supply: LayerSupply,
  layers: readonly Layer[],
  { onProgress, signal }: ExtractOptions,
): Promise<void> {
  const progress = new PhaseProgress("fetch", totalSize(layers), onProgress);
  progress.add(0);
  for (const [index, layer] of layers.entries()) {
    tree.check();
    const reader = supply.open(layer.descriptor, index);
    await whileOpen(reader, signal, () =>
      streamLayer(tree, reader, layer, index, (count) => progress.add(count)),
    );
  }
  progress.end();
}

/** Closes `reader` in the end, and at once when `signal` says so: a parked read then throws. */
async function whileOpen(
  reader: BlobReader,
  signal: AbortSignal | undefined,
  work: () => Promise<void>,
): Promise<void> {
  const stopListening = onAbort(signal, () => reader.close());
  try {
    await work();
  } finally {
    stopListening();
    reader.close();
  }
}

function totalSize(layers: readonly Layer[]): number {
  return layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
}

function stoppedError(target: string, { reason }: AbortSignal, kept?: string): GranaryError {
  const rest =
    kept === undefined
      ? "nothing is kept"
      : `the layers fetched so far are kept in ${kept}, and the same command goes on from there`;
  return new GranaryError("aborted", `Stopped extracting to ${target}: ${rest}.`, { target, cause: reason });
}
