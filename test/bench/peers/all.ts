/** Owns who competes in what: the contenders that serve what they have, and those that fetch what they have not. */
import type { Bench } from "../bench.ts";
import { bare } from "./bare.ts";
import type { Contender } from "./contender.ts";
import { granary } from "./granary.ts";
import { nginx } from "./nginx.ts";
import { registries } from "./registry.ts";
import { registryProxies } from "./registry-proxy.ts";
import { zot } from "./zot.ts";

/** Of large blobs. */
export function servers(bench: Bench): Contender[] {
  return [granary(bench.granaryLauncher), nginx, ...registries, zot, ...registryProxies];
}

/** Of small answers. */
export function smallServers(bench: Bench): Contender[] {
  return [...servers(bench), bare(bench.granaryLauncher)];
}

export function caches(bench: Bench): Contender[] {
  return [granary(bench.granaryLauncher), ...registryProxies];
}
