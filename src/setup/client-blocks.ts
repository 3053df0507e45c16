/**
 * Owns what a client's files are on a machine that has none of them yet: for pages and for people who set up another machine. It plans for a
 * folder that is not there, so that nothing of this machine comes in, and takes that folder out of the texts again.
 */
import { join } from "node:path";
import type { ClientKind } from "./client-kinds.ts";
import type { MirrorTarget } from "./mirror-target.ts";
import { CLIENT_SETUPS, planSetup } from "./setup-client.ts";
import { showFile } from "./show-files.ts";

export type ClientBlocks = {
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly restart: readonly string[];
  readonly notes: readonly string[];
};

/** Nobody has such a folder, and nothing is made in it. */
const NOWHERE = "/.granary-setup-nowhere";

/** Throws `config-invalid` where this client cannot be pointed at such a Granary. */
export async function clientBlocks(kind: ClientKind, target: MirrorTarget): Promise<ClientBlocks> {
  const { usualFile } = CLIENT_SETUPS[kind];
  const here = usualFile.startsWith("/") ? "" : ".";
  const bare = (text: string) => text.replaceAll(NOWHERE, here);
  const { files, restart, notes } = await planSetup(kind, target, join(NOWHERE, usualFile));
  return {
    files: files.map(showFile).map(({ path, text }) => ({ path: bare(path), text: bare(text ?? "") })),
    restart: restart.map(bare),
    notes: notes.map(bare),
  };
}
