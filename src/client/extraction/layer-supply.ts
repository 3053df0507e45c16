/**
 * Owns where the layers of one extraction are read from: straight from a Source that has them at hand, else from a spool beside
 * the target, which fetches ahead and which an interrupted extraction goes on from. It unpacks nothing.
 */
import { basename, dirname, join } from "node:path";
import type { Descriptor } from "../../oci/descriptor.ts";
import { encodedOf } from "../../oci/digest.ts";
import type { BlobReader } from "../../source.ts";
import { isPassing } from "../fetching/fetch-policy.ts";
import type { VerbOptions } from "../fetching/progress.ts";
import { openBlob } from "../fetching/read-blob.ts";
import type { Image } from "../images/image.ts";
import { openLayerSpool } from "./layer-spool.ts";

export interface LayerSupply {
  /** Each layer once, in order. The caller closes the reader. */
  open(descriptor: Descriptor, index: number): BlobReader;
  /** Nothing is needed any more. */
  discard(): Promise<void>;
  /** Ends it after `error`; returns the directory where what was fetched is kept for another try, if it is. */
  giveUp(error: unknown): Promise<string | undefined>;
}

type SupplyOptions = Pick<VerbOptions, "signal" | "clock"> & {
  readonly openLayer?: LayerSupply["open"];
  readonly temporaryDirectory?: string;
};

/** Throws `config-invalid` when another extraction to `target` is under way. */
export async function openSupply(
  image: Image,
  target: string,
  { openLayer, temporaryDirectory, ...ends }: SupplyOptions,
): Promise<LayerSupply> {
  if (openLayer !== undefined) return passing(openLayer);
  const { source, reference, view, manifest } = image;
  if (source.isLocal) return passing((descriptor) => openBlob(source, reference, descriptor, ends));
  const directory =
    temporaryDirectory === undefined
      ? join(dirname(target), `.${basename(target).slice(0, 80)}.granary-layers`)
      : join(temporaryDirectory, `granary-layers-${encodedOf(manifest.digest).slice(0, 32)}`);
  const spool = await openLayerSpool({
    ...ends,
    source,
    repository: reference,
    layers: view.layers,
    directory,
  });
  return {
    open: (_descriptor, index) => spool.open(index),
    discard: () => spool.discard(),
    async giveUp(error) {
      if (!isPassing(error)) {
        await spool.discard();
        return undefined;
      }
      await spool.close();
      return directory;
    },
  };
}

function passing(open: LayerSupply["open"]): LayerSupply {
  return { open, discard: async () => undefined, giveUp: async () => undefined };
}
