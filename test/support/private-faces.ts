/** Owns the ways in which clients name a registry to Granary, as values: what is said of one of them must hold of all. */

import { UPSTREAM } from "./mirror-world.ts";
import type { PrivateRegistry } from "./private-registry.ts";
import { ask, type WireAnswer, type WireRequest } from "./wire.ts";

export type Face = {
  readonly name: string;
  /** `path` is what follows `/v2/`, with the repository. */
  readonly ask: (registry: PrivateRegistry, path: string, request: WireRequest) => Promise<WireAnswer>;
};

export const FACES: readonly Face[] = [
  {
    name: "a listener that implies it",
    ask: ({ ports }, path, request) => ask(ports.own, `/v2/${path}`, request),
  },
  {
    name: "a path before /v2/",
    ask: ({ ports }, path, request) => ask(ports.other, `/${UPSTREAM}/v2/${path}`, request),
  },
  {
    name: "a host after /v2/",
    ask: ({ ports }, path, request) => ask(ports.other, `/v2/${UPSTREAM}/${path}`, request),
  },
  {
    name: "ns",
    ask: ({ ports }, path, request) => ask(ports.other, `/v2/${path}?ns=${UPSTREAM}`, request),
  },
];
