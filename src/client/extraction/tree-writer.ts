/**
 * Owns the port through which a tree comes to disk, so that a file system without links can be stood in for. All paths are
 * absolute, and nothing on their way is a symbolic link: the model of the tree has resolved them (resolve.ts).
 */

export type FileFacts = {
  /** Permissions with setuid, setgid and sticky; the umask does not touch them. */
  readonly mode: number;
  /** Seconds since the epoch, with fraction. */
  readonly mtime: number;
};

/** Methods throw what the operating system says; they create and never follow or overwrite. */
export interface TreeWriter {
  /** Only for us, until `finishDirectory`. */
  makeDirectory(path: string): Promise<void>;
  /** A file with everything that is in it; `bytes` are the writer's until the call returns. */
  writeFile(path: string, facts: FileFacts, bytes: Uint8Array): Promise<void>;
  /** A file that comes in parts; `finish` or `giveUp` must be called. */
  createFile(path: string): Promise<GrowingFile>;
  symlink(path: string, target: string, mtime: number): Promise<void>;
  link(path: string, existing: string): Promise<void>;
  copyFile(path: string, existing: string, facts: FileFacts): Promise<void>;
  remove(path: string, kind: "directory" | "other"): Promise<void>;
  finishDirectory(path: string, facts: { readonly mode: number; readonly mtime?: number }): Promise<void>;
}

export interface GrowingFile {
  append(bytes: Uint8Array): Promise<void>;
  finish(facts: FileFacts): Promise<void>;
  /** Closes it as it is. */
  giveUp(): Promise<void>;
}
