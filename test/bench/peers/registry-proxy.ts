/** The official registry as a pull-through cache: the peer that does Granary's job. */
import { join } from "node:path";
import type { Contender } from "./contender.ts";
import { type RegistryVersion, registryIsMissing, startRegistry } from "./start-registry.ts";

export const registryProxies: readonly Contender[] = [registryProxy(2), registryProxy(3)];

function registryProxy(version: RegistryVersion): Contender {
  return {
    name: `proxy${version}`,
    missing: () => registryIsMissing(version),
    start: (place) => startRegistry(version, place, `proxy: { remoteurl: "${place.upstream.url}" }\n`),
    committedPath: (digest) => {
      const hex = digest.slice("sha256:".length);
      return join("store/docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
    },
  };
}
