/** Owns what making a system trust an authority consists of: files, programs that take them in, and what a person should know. */
import type { FileChange } from "../change.ts";

/** What is told apart: two families of Linux, macOS, and two clients that read certificates of their own. */
export const TRUST_SYSTEMS = ["debian", "redhat", "macos", "docker", "containerd"] as const;

export type TrustSystem = (typeof TRUST_SYSTEMS)[number];

/** The authority that is to be trusted, and for which registries where that is told apart. */
export type TrustedAuthority = {
  /** PEM text of one certificate. */
  readonly certificate: string;
  /** As they stand in names of images, with their ports: "registry.lab:5000". */
  readonly registries: readonly string[];
};

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

type TrustPlan = {
  readonly files: readonly FileChange[];
  /** Run when the files are there. */
  readonly after: readonly Command[];
  /** Sentences. */
  readonly notes: readonly string[];
};

type TrustUndo = {
  /** Files that earlier installs may have made. */
  readonly places: readonly string[];
  /** Run while the files are still there. */
  readonly before: readonly Command[];
  /** Run when they are gone. */
  readonly after: readonly Command[];
};

/** `root` is "/", or where another system's files lie. */
export type TrustSetup = {
  plan(authority: TrustedAuthority, root: string): Promise<TrustPlan>;
  undo(root: string): Promise<TrustUndo>;
};
