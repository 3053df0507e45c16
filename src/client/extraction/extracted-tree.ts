/**
 * Owns the tree that one extraction makes: the model of it and the disk, which follows the model, with all that the steps of the
 * extraction share. Its operations take names below the root, write nowhere else, and throw `store-full` and `store-damaged` with
 * a sentence that names the entry.
 */
import { join } from "node:path";
import { onDisk } from "../../files/disk-error.ts";
import type { ExtractionCaps } from "./extraction-caps.ts";
import {
  type DirectoryNode,
  type FileNode,
  impliedDirectory,
  type SymlinkNode,
  type TreeChange,
} from "./tree-model.ts";
import type { FileFacts, GrowingFile, TreeWriter } from "./tree-writer.ts";
import { Warnings } from "./warnings.ts";
import { WriteQueue } from "./write-queue.ts";

type Names = readonly string[];

export type ExtractedTreeOptions = {
  /** The directory that the root of the tree is; it exists and is empty. */
  readonly directory: string;
  readonly writer: TreeWriter;
  readonly caps: ExtractionCaps;
  /** Setuid, setgid and sticky bits of files are those of the image. */
  readonly keepsSpecialBits: boolean;
  /** Throws when the extraction is to end. */
  readonly check: () => void;
};

export class ExtractedTree {
  readonly root: DirectoryNode = impliedDirectory(0);
  readonly queue = new WriteQueue();
  readonly warnings = new Warnings();
  /** Symbolic links that the file system refused: in the model, not on disk, copied at the end. */
  readonly refusedLinks = new Set<SymlinkNode>();
  readonly caps: ExtractionCaps;
  readonly keepsSpecialBits: boolean;
  readonly check: () => void;
  readonly #directory: string;
  readonly #writer: TreeWriter;

  constructor({ directory, writer, caps, keepsSpecialBits, check }: ExtractedTreeOptions) {
    this.#directory = directory;
    this.#writer = writer;
    this.caps = caps;
    this.keepsSpecialBits = keepsSpecialBits;
    this.check = check;
  }

  /** Does on disk, in order, what the model lists. */
  async carryOut(changes: readonly TreeChange[]): Promise<void> {
    for (const change of changes) {
      if (change.do === "make") await this.makeDirectory(change.path);
      else if (change.node.kind !== "symlink" || !this.refusedLinks.delete(change.node)) {
        // It may not be written yet.
        await this.queue.drain();
        const kind = change.node.kind === "directory" ? "directory" : "other";
        await onDisk(`removing ${shown(change.path)}`, this.#writer.remove(this.#at(change.path), kind));
      }
    }
  }

  makeDirectory(names: Names): Promise<void> {
    return onDisk(`making ${shown(names)}`, this.#writer.makeDirectory(this.#at(names)));
  }

  /** Gives a directory the mode and time that the image has for it. Nothing may be written below it afterwards. */
  finishDirectory(names: Names, { mode, mtime }: DirectoryNode): Promise<void> {
    const facts = mtime === undefined ? { mode } : { mode, mtime };
    return onDisk(`finishing ${shown(names)}`, this.#writer.finishDirectory(this.#at(names), facts));
  }

  writeFile(names: Names, facts: FileFacts, bytes: Uint8Array): Promise<void> {
    return onDisk(`writing ${shown(names)}`, this.#writer.writeFile(this.#at(names), facts, bytes));
  }

  /** A file that comes in parts; `finish` or `giveUp` must be called. */
  async createFile(names: Names): Promise<GrowingFile> {
    const doing = `writing ${shown(names)}`;
    const file = await onDisk(doing, this.#writer.createFile(this.#at(names)));
    return {
      append: (bytes) => onDisk(doing, file.append(bytes)),
      finish: (facts) => onDisk(doing, file.finish(facts)),
      giveUp: () => file.giveUp(),
    };
  }

  symlink(names: Names, { target, mtime }: SymlinkNode): Promise<void> {
    return onDisk(`linking ${shown(names)}`, this.#writer.symlink(this.#at(names), target, mtime));
  }

  link(names: Names, existing: Names): Promise<void> {
    return onDisk(`linking ${shown(names)}`, this.#writer.link(this.#at(names), this.#at(existing)));
  }

  /** A copy counts like an entry of its own. */
  async copyFile(names: Names, existing: Names, node: FileNode): Promise<void> {
    this.check();
    this.caps.countEntry();
    this.caps.countBytes(node.size);
    const copying = this.#writer.copyFile(this.#at(names), this.#at(existing), node);
    await onDisk(`copying ${shown(existing)}`, copying);
  }

  #at(names: Names): string {
    return join(this.#directory, ...names);
  }
}

function shown(names: Names): string {
  return names.join("/") || "the root";
}
