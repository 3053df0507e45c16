/** Owns the clients that can be pointed at Granary, and the way from one of them to files: planned, written, or brought back. */

import { join } from "node:path";
import { lookAt, namesIn } from "../files/disk.ts";
import type { ClientKind } from "./client-kinds.ts";
import type { ClientPlan, ClientSetup } from "./client-plan.ts";
import { buildkitSetup } from "./clients/buildkit.ts";
import { containerdSetup } from "./clients/containerd.ts";
import { dockerSetup } from "./clients/docker.ts";
import { dockerProxyPlan, type ProxyTarget } from "./clients/docker-proxy.ts";
import { k3sSetup } from "./clients/k3s.ts";
import { kindSetup } from "./clients/kind.ts";
import { ollamaSetup } from "./clients/ollama.ts";
import { podmanSetup } from "./clients/podman.ts";
import type { MirrorTarget } from "./mirror-target.ts";
import { type PlannedFile, planChanges, planUndo } from "./plan-files.ts";
import { fileOfRecord } from "./undo-record.ts";

export const CLIENT_SETUPS: Readonly<Record<ClientKind, ClientSetup>> = {
  docker: dockerSetup,
  containerd: containerdSetup,
  podman: podmanSetup,
  k3s: k3sSetup,
  buildkit: buildkitSetup,
  kind: kindSetup,
  ollama: ollamaSetup,
};

export type PlannedSetup = Omit<ClientPlan, "files"> & { readonly files: readonly PlannedFile[] };

/** What would be done; nothing is changed. Throws `config-invalid`, `path-invalid`: a sentence that says what to do. */
export async function planSetup(kind: ClientKind, target: MirrorTarget, file: string): Promise<PlannedSetup> {
  const { files, ...rest } = await CLIENT_SETUPS[kind].plan(target, file);
  return { ...rest, files: await planChanges(files) };
}

/** What would be done to send a Docker engine's requests through Granary's proxy; nothing is changed. Throws as `planSetup` does. */
export async function planProxySetup(target: ProxyTarget, file: string): Promise<PlannedSetup> {
  const { files, ...rest } = dockerProxyPlan(target, file);
  return { ...rest, files: await planChanges(files) };
}

/** What would be taken back: all that earlier setups of this client changed. Throws as `planSetup` does. */
export async function planUndoSetup(kind: ClientKind, file: string): Promise<readonly PlannedFile[]> {
  const places = await CLIENT_SETUPS[kind].placesOf(file);
  const found = await Promise.all(places.map((place) => changedIn(place, DEPTH)));
  return await planUndo([...new Set(found.flat())]);
}

/** A folder, and the folders of registries in it. */
const DEPTH = 2;

/** The files at or below `place` of which a record is kept. */
async function changedIn(place: string, depth: number): Promise<string[]> {
  const found = await lookAt(place);
  if (found === undefined || !found.isDirectory()) return [place];
  const names = await namesIn(place);
  const here = names.flatMap((name) => fileOfRecord(join(place, name)) ?? []);
  if (depth === 0) return here;
  const below = names.map(async (name) => {
    const path = join(place, name);
    return (await lookAt(path))?.isDirectory() === true ? await changedIn(path, depth - 1) : [];
  });
  return [...here, ...(await Promise.all(below)).flat()];
}
