/**
 * Owns what a change of a client's configuration is: a format, and what the file must say afterwards. Plain data, so that it can be kept
 * beside the file and taken back later. It touches no file.
 */

/** Names from the top of a file down to one key. */
export type KeyPath = readonly [string, ...string[]];

export type PlainValue = string | number | boolean | readonly PlainValue[] | PlainTree;

export interface PlainTree {
  readonly [key: string]: PlainValue;
}

/** The list at `at` holds `value`, as its first item where it is new. */
export type ListEdit = { readonly does: "list"; readonly at: KeyPath; readonly value: string };

/** What stands at `at` is `value`. */
export type SetEdit = { readonly does: "set"; readonly at: KeyPath; readonly value: PlainValue };

/** `registry` of a registries.conf has a mirror at `location`, before its other mirrors. */
export type MirrorEdit = {
  readonly does: "mirror";
  readonly registry: string;
  readonly location: string;
  readonly isInsecure: boolean;
};

/** Every node of a kind cluster sees the folder `hostPath` at `containerPath`. */
export type MountEdit = { readonly does: "mount"; readonly hostPath: string; readonly containerPath: string };

/** The service of a systemd unit runs with this variable. */
export type VariableEdit = { readonly does: "variable"; readonly name: string; readonly value: string };

/** The whole file is this text: for files that nobody else writes to. */
type WholeEdit = { readonly does: "whole"; readonly text: string };

export type TreeEdit = ListEdit | SetEdit;

/** What a file must say, in the format that it has. */
export type FileEdit =
  | { readonly format: "json" | "toml" | "yaml"; readonly edits: readonly TreeEdit[] }
  | { readonly format: "registries"; readonly edits: readonly MirrorEdit[] }
  | { readonly format: "kind"; readonly edits: readonly (TreeEdit | MountEdit)[] }
  | { readonly format: "unit"; readonly edits: readonly VariableEdit[] }
  | { readonly format: "whole"; readonly edits: readonly WholeEdit[] };

/** One file of a client as it should be. */
export type FileChange = {
  readonly path: string;
  readonly change: FileEdit;
  /** What a new file begins with, in the format of `change`; nothing when left out. */
  readonly begin?: string;
  /** A password stands in it: a new file is for its owner alone. */
  readonly isSecret?: boolean;
};
