/** Owns the comparison of an opened archive with what went into it: every byte is read and checked on the way. */
import { createHash } from "node:crypto";
import { decompress } from "../../../src/client/archives/decompress.ts";
import type { OpenedArchive } from "../../../src/client/archives/open-archive.ts";
import { openBlob } from "../../../src/client/fetching/read-blob.ts";
import { imageFrom } from "../../../src/client/images/image.ts";
import type { Platform } from "../../../src/oci/descriptor.ts";
import { type Digest, digestOf, finishDigest } from "../../../src/oci/digest.ts";
import type { BlobReader } from "../../../src/source.ts";

export type OpenedContent = {
  /** Digest of the config: what Docker calls the image's ID. */
  readonly id: Digest;
  readonly platform: Platform;
  /** Digests of the unpacked layers as they were read, bottom first. */
  readonly layers: readonly Digest[];
  readonly diffIds: readonly Digest[];
  readonly mediaTypes: readonly string[];
};

/** Reads the image from its config to its last layer and closes the archive. */
export async function contentOf({ source, reference }: OpenedArchive): Promise<OpenedContent> {
  try {
    const { view, config, configBytes } = await imageFrom(source, reference, {
      platform: { os: "linux", architecture: "amd64" },
    });
    const layers: Digest[] = [];
    for (const layer of view.layers) layers.push(await plainDigest(openBlob(source, reference, layer)));
    return {
      id: digestOf(configBytes),
      platform: config.platform,
      layers,
      diffIds: config.diffIds,
      mediaTypes: view.layers.map(({ mediaType }) => mediaType),
    };
  } finally {
    await source.close();
  }
}

async function plainDigest(reader: BlobReader): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of decompress(chunksOf(reader))) hash.update(chunk);
  return finishDigest(hash, "sha256");
}

async function* chunksOf(reader: BlobReader): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = new Uint8Array(256 * 1024);
    const count = await reader.read(chunk);
    if (count === 0) return;
    yield chunk.subarray(0, count);
  }
}
