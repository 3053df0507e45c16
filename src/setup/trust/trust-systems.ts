/** Owns which systems can be made to trust an authority, the way from one of them to files, and how this machine's is found out. */
import { join } from "node:path";
import { readKeptFile } from "../../files/kept-file.ts";
import { type PlannedFile, planChanges, planUndo } from "../plan-files.ts";
import { containerdTrust, dockerTrust } from "./client-trust.ts";
import { debianTrust, macosTrust, redhatTrust } from "./machine-trust.ts";
import type { Command, TrustedAuthority, TrustSetup, TrustSystem } from "./trust-plan.ts";

const TRUST_SETUPS: Readonly<Record<TrustSystem, TrustSetup>> = {
  debian: debianTrust,
  redhat: redhatTrust,
  macos: macosTrust,
  docker: dockerTrust,
  containerd: containerdTrust,
};

export type PlannedTrust = {
  readonly files: readonly PlannedFile[];
  /** To be run before and after the files are as planned. */
  readonly before: readonly Command[];
  readonly after: readonly Command[];
  readonly notes: readonly string[];
};

/** What would be done; nothing is changed. Throws `config-invalid`, `path-invalid`: a sentence that says what to do. */
export async function planTrust(
  system: TrustSystem,
  authority: TrustedAuthority,
  root: string,
): Promise<PlannedTrust> {
  const { files, after, notes } = await TRUST_SETUPS[system].plan(authority, root);
  return { files: await planChanges(files), before: [], after, notes };
}

/** What would be taken back; nothing where nothing was installed. Throws as `planTrust` does. */
export async function planTrustUndo(system: TrustSystem, root: string): Promise<PlannedTrust> {
  const { places, before, after } = await TRUST_SETUPS[system].undo(root);
  const files = await planUndo(places);
  return files.length === 0
    ? { files, before: [], after: [], notes: [] }
    : { files, before, after, notes: [] };
}

const FAMILIES: readonly (readonly [TrustSystem, RegExp])[] = [
  ["debian", /^(?:debian|ubuntu|alpine)$/],
  ["redhat", /^(?:fedora|rhel|centos)$/],
];

/** By /etc/os-release, whose ID_LIKE names the family; undefined for one that is not known. */
export async function systemOf(root: string, platform: NodeJS.Platform): Promise<TrustSystem | undefined> {
  if (platform === "darwin" && root === "/") return "macos";
  const text = (await readKeptFile(join(root, "/etc/os-release")))?.text ?? "";
  const names = [...text.matchAll(/^ID(?:_LIKE)?=["']?([^"'\n]*)/gm)].flatMap(([, ids = ""]) =>
    ids.split(" "),
  );
  return FAMILIES.find(([, family]) => names.some((name) => family.test(name)))?.[0];
}
