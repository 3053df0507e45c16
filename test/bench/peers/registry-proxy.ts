/** Debian's docker-registry as a pull-through cache: the peer that does Granary's job. */
import { join } from "node:path";
import type { Contender } from "./contender.ts";
import { registryIsMissing, startRegistry } from "./start-registry.ts";

export const registryProxy: Contender = {
  name: "proxy",
  missing: registryIsMissing,
  start: (place) =>
    startRegistry(place.directory, `proxy: { remoteurl: "http://127.0.0.1:${place.upstreamPort}" }\n`),
  committedPath: (digest) => {
    const hex = digest.slice("sha256:".length);
    return join("store/docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
  },
};
