/** Owns small images that real clients can unpack: one layer of files that no other image has, pushed to a registry by hand. */
import { gzipSync } from "node:zlib";
import { digestOf } from "../../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { patternBytes } from "../../support/pattern.ts";
import { file, tarLayer } from "../../support/tar-layer.ts";
import { pushBlob, pushManifest } from "./push-content.ts";
import type { StoredImage } from "./upstream-content.ts";

const LAYER_SIZE = 2_000_000;

/** Pushes `repository:tag` to `registry` (base URL); `seed` makes its content. */
export async function pushSmallImage(
  registry: string,
  repository: string,
  tag: string,
  seed: number,
): Promise<StoredImage> {
  const layer = tarLayer([file("content", Buffer.from(patternBytes(seed, 0, LAYER_SIZE)))]);
  const rootfs = { type: "layers", diff_ids: [digestOf(layer)] };
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", config: {}, rootfs }));
  const push = (kind: string, bytes: Uint8Array<ArrayBuffer>) =>
    pushBlob(registry, repository, `application/vnd.oci.image.${kind}`, bytes);
  const parts = {
    config: await push("config.v1+json", config),
    layers: [await push("layer.v1.tar+gzip", gzipSync(layer))],
  };
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, ...parts };
  return { repository, tag, ...parts, manifest: await pushManifest(registry, repository, tag, manifest) };
}
