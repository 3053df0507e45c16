/** Owns very many small images, each in a repository of its own: what a crowd of machines pulls that start at the same time. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Content, contentOf, describe, MANIFEST_TYPE } from "./material.ts";

/** In the order of a pull: the manifest by its tag, then all that it lists. */
export type SmallImage = readonly Content[];

const LAYERS = [256 * 1024, 64 * 1024];
const CONFIG_BYTES = 1_024;

export function makeImages(directory: string, count: number): readonly SmallImage[] {
  mkdirSync(directory, { recursive: true });
  return Array.from({ length: count }, (_, index) => makeImage(directory, index));
}

function makeImage(directory: string, index: number): SmallImage {
  const repository = `bench/image-${index}`;
  const write = (name: string, bytes: Uint8Array, kind: string, mediaType: string) => {
    const file = join(directory, `${index}-${name}`);
    writeFileSync(file, bytes);
    return contentOf(file, bytes, kind, mediaType, repository);
  };
  const blob = (name: string, size: number) =>
    write(name, randomBytes(size), "blobs", "application/octet-stream");
  const config = blob("config", CONFIG_BYTES);
  const layers = LAYERS.map((size, layer) => blob(`layer-${layer}`, size));
  const document = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: describe(config, "application/vnd.oci.image.config.v1+json"),
    layers: layers.map((layer) => describe(layer, "application/vnd.oci.image.layer.v1.tar")),
  };
  const manifest = write("manifest", Buffer.from(JSON.stringify(document)), "manifests", MANIFEST_TYPE);
  return [{ ...manifest, path: `/v2/${repository}/manifests/latest` }, config, ...layers];
}
