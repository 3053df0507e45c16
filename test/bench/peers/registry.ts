/**
 * The official registry serving its own store. The store is laid out by hard links in the registry's documented
 * file layout, in place of a push: the same files, without a second copy of them in the page cache.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Content, type Material, REPOSITORY, TAG } from "../material.ts";
import { linkOver } from "../support/link-over.ts";
import type { Contender } from "./contender.ts";
import { type RegistryVersion, registryIsMissing, startRegistry } from "./start-registry.ts";

export const registries: readonly Contender[] = [registry(2), registry(3)];

function registry(version: RegistryVersion): Contender {
  return {
    name: `registry${version}`,
    missing: () => registryIsMissing(version),
    start: (place) => {
      layOut(join(place.directory, "store", "docker/registry/v2"), place.material);
      return startRegistry(version, place, "");
    },
  };
}

function layOut(root: string, material: Material): void {
  const repository = join(root, "repositories", REPOSITORY);
  for (const entry of material.entries) {
    const data = join(root, "blobs/sha256", hex(entry).slice(0, 2), hex(entry), "data");
    mkdirSync(dirname(data), { recursive: true });
    linkOver(entry.file, data);
    writeLink(join(repository, "_layers/sha256", hex(entry)), entry.digest);
  }
  const { manifest } = material;
  const tag = join(repository, "_manifests/tags", TAG);
  writeLink(join(repository, "_manifests/revisions/sha256", hex(manifest)), manifest.digest);
  writeLink(join(tag, "current"), manifest.digest);
  writeLink(join(tag, "index/sha256", hex(manifest)), manifest.digest);
}

function hex(content: Content): string {
  return content.digest.slice("sha256:".length);
}

function writeLink(directory: string, digest: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "link"), digest);
}
