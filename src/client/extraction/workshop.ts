/** Owns Workshop: everything that one extraction is made with, handed to each of its steps. Pure data. */
import { join } from "node:path";
import type { Limits } from "./limits.ts";
import type { DirectoryNode, SymlinkNode } from "./tree.ts";
import type { TreeWriter } from "./tree-writer.ts";
import type { Warnings } from "./warnings.ts";
import type { WriteQueue } from "./write-queue.ts";

export type Workshop = {
  /** The directory that `root` stands for. */
  readonly directory: string;
  readonly root: DirectoryNode;
  readonly writer: TreeWriter;
  readonly queue: WriteQueue;
  readonly limits: Limits;
  readonly warnings: Warnings;
  /** Setuid, setgid and sticky bits of files are those of the image. */
  readonly keepsSpecialBits: boolean;
  /** Symbolic links that the file system refused: in the model, not on disk, copied at the end. */
  readonly unmade: Set<SymlinkNode>;
  /** Throws when the extraction is to end. */
  readonly check: () => void;
};

export function diskPath({ directory }: Workshop, path: readonly string[]): string {
  return join(directory, ...path);
}
