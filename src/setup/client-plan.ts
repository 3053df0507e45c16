/** Owns what pointing one kind of client at Granary consists of: files to change, what to restart, and what a person should know. */
import type { FileChange } from "./change.ts";
import type { MirrorTarget } from "./mirror-target.ts";

export type ClientPlan = {
  readonly files: readonly FileChange[];
  /** What makes the client read its files again: commands, or a sentence. */
  readonly restart: readonly string[];
  /** Sentences. */
  readonly notes: readonly string[];
};

export type ClientSetup = {
  /** The file that is edited where none is named. */
  readonly usualFile: string;
  /** Reads what is there. Throws `config-invalid` where this client cannot be pointed at such a Granary. */
  plan(target: MirrorTarget, file: string): Promise<ClientPlan>;
  /** Files and folders that earlier setups may have changed, for `file`. */
  placesOf(file: string): Promise<readonly string[]>;
};

/** A file for the client beside its others, with the authority that signed Granary's certificate. */
export function authorityFile(path: string, ca: string): FileChange {
  return {
    path,
    change: { format: "whole", edits: [{ does: "whole", text: ca.endsWith("\n") ? ca : `${ca}\n` }] },
  };
}
