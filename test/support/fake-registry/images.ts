/** Owns the documents of the fake's images: a config and a manifest in Docker's or OCI's types. Pure. */
import type { Digest } from "../../../src/oci/digest.ts";
import { DOCKER_MANIFEST, OCI_MANIFEST } from "../../../src/oci/media-types.ts";

type Described = { readonly digest: Digest; readonly size: number };

const TYPES = {
  docker: {
    manifest: DOCKER_MANIFEST,
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  },
  oci: {
    manifest: OCI_MANIFEST,
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  },
};

export function imageConfig(seed: number, layers: readonly number[]): Buffer {
  return Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", seed, layers }));
}

export function imageManifest(
  format: "docker" | "oci",
  config: Described,
  layers: readonly Described[],
): { readonly bytes: Buffer; readonly mediaType: string } {
  const types = TYPES[format];
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, ...config },
    layers: layers.map((layer) => ({ mediaType: types.layer, ...layer })),
  };
  return { bytes: Buffer.from(JSON.stringify(manifest, null, 2)), mediaType: types.manifest };
}
