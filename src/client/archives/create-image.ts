/**
 * Owns the making of an image from tars, as one file that `docker load`, Podman, skopeo and containerd take: an OCI layout and a
 * `docker save` in one, as Docker has written them since 25. The same input gives the same file, byte for byte.
 */
import { createHash } from "node:crypto";
import { GranaryError } from "../../errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { type Digest, digestOf, finishDigest } from "../../oci/digest.ts";
import { parsePlatform } from "../../oci/platform.ts";
import { invalid, parseReference, type Reference } from "../../oci/reference.ts";
import type { VerbOptions } from "../fetching/progress.ts";
import { imageDocuments, LAYER_TYPE } from "./create/image-documents.ts";
import { writeOutput } from "./create/output-file.ts";
import { readTar } from "./create/read-tar.ts";
import { TarWriter } from "./create/tar-writer.ts";
import { blobName } from "./oci-layout.ts";

export type CreateOptions = Pick<VerbOptions, "signal"> & {
  /** What the image is tagged with: `[host[:port]/]repository[:tag]`. */
  readonly name: string;
  /** `os/architecture[/variant]`, what the files in the tars are made for. */
  readonly platform: string;
  /** Path of the file to write; a file that is there is replaced. */
  readonly output: string;
  /** The time that the image says it was made; by default 1970, so that the same input gives the same file. */
  readonly created?: Date;
};

export type CreatedImage = {
  /** The manifest's. */
  readonly digest: Digest;
  /** What Docker calls the image's ID: the config's. */
  readonly id: Digest;
  /** The name in full, with its tag. */
  readonly reference: Reference;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  /** Bytes of the file. */
  readonly size: number;
};

/**
 * Makes an image with one layer per tar, bottom first. Tars may be compressed by gzip or zstd; layers are stored plain, which every
 * reader accepts, and then the digest is the diff ID as well. `output` is there when all of it is, or not at all. Throws `reference-invalid` (name
 * or platform, before anything is read), `path-invalid` (a tar that is none or absent; an output that cannot be), `config-invalid`
 * (no tar, no date), `manifest-invalid` (damaged compression), `denied`, `store-full`, `store-damaged`, `aborted`.
 */
export async function writeImage(tars: readonly string[], options: CreateOptions): Promise<CreatedImage> {
  const { output, signal, created = new Date(0) } = options;
  const reference = parseName(options.name);
  const platform = parsePlatform(options.platform);
  if (tars.length === 0)
    throw new GranaryError("config-invalid", "Give at least one tar to make an image of.");
  if (Number.isNaN(created.getTime())) throw new GranaryError("config-invalid", "`created` is no date.");
  return await writeOutput(output, async (file) => {
    const writer = new TarWriter(file);
    const layers: Descriptor[] = [];
    for (const tar of tars) layers.push(await addLayer(writer, tar, layers, signal));
    const { config, manifest, files } = imageDocuments({ reference, platform, created, layers });
    for (const [name, bytes] of files) {
      await writer.write(bytes);
      await writer.commit(name);
    }
    const size = await writer.finish();
    return { digest: digestOf(manifest), id: digestOf(config), reference, layers, size };
  });
}

/** A digest cannot be known before the image is made, so a name with a digest is refused. */
function parseName(text: string): Reference {
  const reference = parseReference(text);
  if (reference.digest === undefined) return reference;
  throw invalid(text, "a new image has a name and a tag, its digest follows from what is in it");
}

/** A layer that is there already is stored once. */
async function addLayer(
  writer: TarWriter,
  tar: string,
  present: readonly Descriptor[],
  signal: AbortSignal | undefined,
): Promise<Descriptor> {
  const hash = createHash("sha256");
  const write = async (chunk: Uint8Array) => {
    hash.update(chunk);
    await writer.write(chunk);
  };
  await readTar(tar, write, signal);
  const layer = { mediaType: LAYER_TYPE, digest: finishDigest(hash, "sha256"), size: writer.size };
  if (present.some(({ digest }) => digest === layer.digest)) await writer.drop();
  else await writer.commit(blobName(layer.digest));
  return layer;
}
