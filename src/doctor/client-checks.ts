/** Owns the clients that the doctor knows, and which of them are on this machine. */
import { lookThrough } from "../files/disk.ts";
import { CHECKED_KINDS, type CheckedKind } from "../setup/client-kinds.ts";
import { CLIENT_SETUPS } from "../setup/setup-client.ts";
import type { ClientCheck, ClientContext } from "./client-check.ts";
import { containerdCheck } from "./clients/containerd.ts";
import { dockerCheck } from "./clients/docker.ts";
import { buildkitCheck, k3sCheck, ollamaCheck } from "./clients/files-only.ts";
import { podmanCheck } from "./clients/podman.ts";
import { type Observation, says } from "./observation.ts";
import { type PullProof, provePull } from "./prove-pull.ts";
import { findProgram } from "./run-program.ts";

const CLIENT_CHECKS: Readonly<Record<CheckedKind, ClientCheck>> = {
  docker: dockerCheck,
  containerd: containerdCheck,
  podman: podmanCheck,
  k3s: k3sCheck,
  buildkit: buildkitCheck,
  ollama: ollamaCheck,
};

/** Those of which a program or the usual file is on this machine. */
export async function clientsHere(env: ClientContext["env"]): Promise<CheckedKind[]> {
  const here = await Promise.all(CHECKED_KINDS.map((kind) => isHere(kind, env)));
  return CHECKED_KINDS.filter((_, index) => here[index] === true);
}

async function isHere(kind: CheckedKind, env: ClientContext["env"]): Promise<boolean> {
  const found = await Promise.all(CLIENT_CHECKS[kind].programs.map((name) => findProgram(name, env)));
  if (found.some((path) => path !== undefined)) return true;
  return (await lookThrough(CLIENT_SETUPS[kind].usualFile).catch(() => undefined)) !== undefined;
}

export type PullPlan = PullProof & { readonly image: string };

/** Its configuration, and with `pull` the proof; no pull where the files say already that it would go elsewhere. */
export async function checkClient(
  kind: CheckedKind,
  context: ClientContext,
  pull: PullPlan | undefined,
): Promise<Observation[]> {
  const check: ClientCheck = CLIENT_CHECKS[kind];
  const { findings, isPointedHere } = await check.check(context);
  if (pull === undefined || check.pull === undefined) return [...findings];
  if (!isPointedHere || findings.some(({ level }) => level === "wrong"))
    return [...findings, says(kind).note("Nothing was pulled: mend what is wrong first.")];
  return [...findings, ...(await provePull(kind, check, pull.image, context, pull))];
}
