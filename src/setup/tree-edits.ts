/**
 * Owns how lists and single values of a file are changed, and how such changes are taken back, whatever the format of the file is: formats
 * put and drop one thing each. Every step is read again and compared with what was meant: an edit that would do more than that is refused.
 */
import { isDeepStrictEqual } from "node:util";
import { GranaryError } from "../errors.ts";
import type { KeyPath, ListEdit, PlainTree, PlainValue, SetEdit, TreeEdit } from "./change.ts";

/** What one format can do to its text. Comments and layout of everything else stay. */
export type TextFormat = {
  /** What the text says; an empty text says nothing. Throws a sentence without a file's name, for text that is not of the format. */
  read(text: string): PlainTree;
  /** `value` at `path`, in place of what is there; parents are made. */
  put(text: string, path: KeyPath, value: PlainValue): string;
  /** Without what stands at `path`, which is there. */
  drop(text: string, path: KeyPath): string;
  /** The list at `path`, which has items, begins with `value`. */
  prepend(text: string, path: KeyPath, value: string): string;
  /** The list at `path` without its item `index`. */
  dropItem(text: string, path: KeyPath, index: number): string;
};

/** `text` with all of `edits` in it; the same text where it has them already. */
export function applyEdits(format: TextFormat, text: string, edits: readonly TreeEdit[]): string {
  return edits.reduce(
    (edited, edit) => (edit.does === "list" ? putItem(format, edited, edit) : putValue(format, edited, edit)),
    text,
  );
}

/** `text` without `edits`, the last first. What `before` had stays or comes back; what was changed since stays as it is. */
export function revertEdits(
  format: TextFormat,
  text: string,
  edits: readonly TreeEdit[],
  before: string,
): string {
  const was = format.read(before);
  return edits.toReversed().reduce((edited, edit) => {
    const back =
      edit.does === "list" ? takeItem(format, edited, edit, was) : takeValue(format, edited, edit, was);
    return withoutEmptyParents(format, back, edit.at, was);
  }, text);
}

function putItem(format: TextFormat, text: string, { at, value }: ListEdit): string {
  const tree = format.read(text);
  const found = valueAt(tree, at);
  if (found !== undefined && !Array.isArray(found)) throw unexpected(at, "a list");
  const list: readonly PlainValue[] = found ?? [];
  if (list.some((item) => isSame(item, value))) return text;
  const edited = list.length === 0 ? format.put(text, at, [value]) : format.prepend(text, at, value);
  return meant(format, edited, withValue(tree, at, [value, ...list]), at);
}

/** Clients take an address with a slash at its end for the same, and some show it so. */
function isSame(item: PlainValue, value: string): boolean {
  return typeof item === "string" && (item === value || item.replace(/\/+$/, "") === value);
}

function putValue(format: TextFormat, text: string, { at, value }: SetEdit): string {
  const tree = format.read(text);
  if (isDeepStrictEqual(valueAt(tree, at), value)) return text;
  return meant(format, format.put(text, at, value), withValue(tree, at, value), at);
}

function takeItem(format: TextFormat, text: string, { at, value }: ListEdit, was: PlainTree): string {
  const before = valueAt(was, at);
  if (Array.isArray(before) && before.includes(value)) return text;
  const tree = format.read(text);
  const list = valueAt(tree, at);
  const index = Array.isArray(list) ? list.indexOf(value) : -1;
  if (!Array.isArray(list) || index < 0) return text;
  const rest = list.toSpliced(index, 1);
  if (rest.length === 0 && before === undefined) return dropped(format, text, tree, at);
  return meant(format, format.dropItem(text, at, index), withValue(tree, at, rest), at);
}

function takeValue(format: TextFormat, text: string, { at, value }: SetEdit, was: PlainTree): string {
  const tree = format.read(text);
  if (!isDeepStrictEqual(valueAt(tree, at), value)) return text;
  const before = valueAt(was, at);
  if (before === undefined) return dropped(format, text, tree, at);
  if (isDeepStrictEqual(before, value)) return text;
  return meant(format, format.put(text, at, before), withValue(tree, at, before), at);
}

/** Parents that were made for the edit go with it, as long as nobody put something else into them. */
function withoutEmptyParents(
  format: TextFormat,
  text: string,
  [first, ...below]: KeyPath,
  was: PlainTree,
): string {
  let edited = text;
  for (let depth = below.length - 1; depth >= 0; depth--) {
    const parent: KeyPath = [first, ...below.slice(0, depth)];
    const tree = format.read(edited);
    const found = valueAt(tree, parent);
    if (found === undefined) continue;
    if (!isTree(found) || Object.keys(found).length > 0 || valueAt(was, parent) !== undefined) break;
    edited = dropped(format, edited, tree, parent);
  }
  return edited;
}

function dropped(format: TextFormat, text: string, tree: PlainTree, at: KeyPath): string {
  return meant(format, format.drop(text, at), withoutValue(tree, at), at);
}

/** `edited` where it says exactly `wanted`. An empty tree may be gone with what was in it, and the other way round. */
function meant(format: TextFormat, edited: string, wanted: PlainTree, at: KeyPath): string {
  if (isDeepStrictEqual(pruned(readOrNothing(format, edited)), pruned(wanted))) return edited;
  throw new GranaryError(
    "config-invalid",
    `${at.join(".")} cannot be changed there without changing more than that: make this change by hand`,
  );
}

function readOrNothing(format: TextFormat, text: string): PlainTree {
  try {
    return format.read(text);
  } catch {
    return { "": "not readable" };
  }
}

function pruned(tree: PlainTree): PlainTree {
  const kept = Object.entries(tree).map(
    ([key, value]) => [key, isTree(value) ? pruned(value) : value] as const,
  );
  return Object.fromEntries(kept.filter(([, value]) => !isTree(value) || Object.keys(value).length > 0));
}

/** What stands at `path`; undefined where nothing does. Throws where something other than a table stands on the way. */
export function valueAt(tree: PlainTree, path: KeyPath): PlainValue | undefined {
  let found: PlainValue | undefined = tree;
  for (const [depth, key] of path.entries()) {
    if (!isTree(found)) throw unexpected([path[0], ...path.slice(1, depth)], "a table");
    found = Object.hasOwn(found, key) ? found[key] : undefined;
    if (found === undefined) return undefined;
  }
  return found;
}

function withValue(tree: PlainTree, [key, ...below]: KeyPath, value: PlainValue): PlainTree {
  const [next, ...rest] = below;
  if (next === undefined) return { ...tree, [key]: value };
  const child = tree[key];
  return { ...tree, [key]: withValue(isTree(child) ? child : {}, [next, ...rest], value) };
}

function withoutValue(tree: PlainTree, [key, ...below]: KeyPath): PlainTree {
  const { [key]: child, ...others } = tree;
  const [next, ...rest] = below;
  return next === undefined || !isTree(child)
    ? others
    : { ...others, [key]: withoutValue(child, [next, ...rest]) };
}

export function isTree(value: PlainValue | undefined): value is PlainTree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unexpected(at: KeyPath, wanted: string): GranaryError {
  return new GranaryError("config-invalid", `${at.join(".")} is not ${wanted} there: mend that first`);
}
