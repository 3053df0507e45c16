/**
 * Owns edits of a registries.conf (Podman, skopeo, buildah, CRI-O): mirrors of one registry, in an array of tables. A registry that stands
 * there already gets the mirror before its others; entries of other registries stay as they are.
 */
import { GranaryError } from "../../errors.ts";
import type { MirrorEdit, PlainTree, PlainValue } from "../change.ts";
import { isTree } from "../tree-edits.ts";
import { gapBefore } from "./toml.ts";
import {
  lineEnd,
  lineStart,
  parseToml,
  samePath,
  spliced,
  type TomlPath,
  tomlValue,
  withLines,
} from "./toml-text.ts";

/** One `[[registry]]` as the libraries read it. */
export type RegistryEntry = {
  /** Its place among the entries of the file. */
  readonly index: number;
  /** Names that begin with it are meant: `prefix`, or the location where there is none. */
  readonly prefix: string | undefined;
  readonly location: string | undefined;
  readonly isBlocked: boolean;
  /** Only names with a digest go to the mirrors. */
  readonly isByDigestOnly: boolean;
  readonly mirrors: readonly MirrorEntry[];
};

type MirrorEntry = { readonly location: string | undefined; readonly isInsecure: boolean };

/** In the order of the file. Throws `config-invalid`, also for the first version of the format, which has no mirrors. */
export function registryEntries(text: string): RegistryEntry[] {
  const { tree } = parseToml(text);
  if (isTree(tree.registries))
    throw new GranaryError("config-invalid", "it is of version 1 of the format, which knows no mirrors");
  return tablesOf(tree.registry).map((entry, index) => ({
    index,
    prefix: textOf(entry.prefix) ?? textOf(entry.location),
    location: textOf(entry.location),
    isBlocked: entry.blocked === true,
    isByDigestOnly: entry["mirror-by-digest-only"] === true,
    mirrors: tablesOf(entry.mirror).map((mirror) => ({
      location: textOf(mirror.location),
      isInsecure: mirror.insecure === true,
    })),
  }));
}

function tablesOf(value: PlainValue | undefined): readonly PlainTree[] {
  return Array.isArray(value) ? value.filter(isTree) : [];
}

function textOf(value: PlainValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The entry that counts for the name `registry`: of several with one prefix the last. */
export function entryFor(entries: readonly RegistryEntry[], registry: string): RegistryEntry | undefined {
  return entries.findLast(({ prefix }) => prefix === registry);
}

export function applyMirrors(text: string, edits: readonly MirrorEdit[]): string {
  return edits.reduce(putMirror, text);
}

export function revertMirrors(text: string, edits: readonly MirrorEdit[], before: string): string {
  const was = registryEntries(before);
  return edits.toReversed().reduce((edited, edit) => takeMirror(edited, edit, was), text);
}

function putMirror(text: string, edit: MirrorEdit): string {
  const entry = entryFor(registryEntries(text), edit.registry);
  if (entry === undefined)
    return checked(withLines(text, text.length, `${gapBefore(text)}${entryLines(edit)}`), edit);
  const { index, mirrors } = entry;
  const known = mirrors.findIndex(({ location }) => location === edit.location);
  if (known < 0) return checked(withFirstMirror(text, index, edit), edit);
  if (mirrors[known]?.isInsecure === edit.isInsecure) return text;
  return checked(
    withFirstMirror(withoutTable(text, ["registry", index, "mirror", known]), index, edit),
    edit,
  );
}

function entryLines(edit: MirrorEdit): string {
  return `[[registry]]\nlocation = ${tomlValue(edit.registry)}\n\n${mirrorLines(edit)}`;
}

function mirrorLines({ location, isInsecure }: MirrorEdit): string {
  return `[[registry.mirror]]\nlocation = ${tomlValue(location)}\n${isInsecure ? "insecure = true\n" : ""}`;
}

/** After the entry's own keys, and so before its other mirrors. */
function withFirstMirror(text: string, index: number, edit: MirrorEdit): string {
  const table = tableAt(text, ["registry", index]);
  if (table === undefined) return text;
  return withLines(text, endOf(text, table), `\n${mirrorLines(edit)}`);
}

function tableAt(text: string, path: TomlPath) {
  return parseToml(text).tables.find(({ resolvedKey }) => samePath(resolvedKey, path));
}

function endOf(text: string, { body, range }: NonNullable<ReturnType<typeof tableAt>>): number {
  return lineEnd(text, body.at(-1)?.range[1] ?? range[0]);
}

/** The table's lines, with the empty one above them. */
function withoutTable(text: string, path: TomlPath): string {
  const table = tableAt(text, path);
  if (table === undefined) return text;
  const start = lineStart(text, table.range[0]);
  const isApart = text.slice(0, start).endsWith("\n\n");
  return spliced(text, isApart ? start - 1 : start, endOf(text, table), "");
}

/** An entry in another form (an inline table, say) takes no table after it. */
function checked(text: string, { registry, location, isInsecure }: MirrorEdit): string {
  const [first] = readable(text, registry)?.mirrors ?? [];
  if (first?.location === location && first.isInsecure === isInsecure) return text;
  throw new GranaryError(
    "config-invalid",
    `the entry of ${registry} has a form into which no mirror can be put: add the mirror ${location} by hand`,
  );
}

function readable(text: string, registry: string): RegistryEntry | undefined {
  try {
    return entryFor(registryEntries(text), registry);
  } catch {
    return undefined;
  }
}

function takeMirror(text: string, { registry, location }: MirrorEdit, was: readonly RegistryEntry[]): string {
  const before = entryFor(was, registry);
  if (before?.mirrors.some((mirror) => mirror.location === location) === true) return text;
  const entry = entryFor(registryEntries(text), registry);
  const known = entry?.mirrors.findIndex((mirror) => mirror.location === location) ?? -1;
  if (entry === undefined || known < 0) return text;
  const without = withoutTable(text, ["registry", entry.index, "mirror", known]);
  const isOurs = before === undefined && entry.mirrors.length === 1 && isBare(without, entry.index);
  return isOurs ? withoutTable(without, ["registry", entry.index]) : without;
}

/** Nobody has added anything to the entry that was made for the mirror. */
function isBare(text: string, index: number): boolean {
  return tableAt(text, ["registry", index])?.body.length === 1;
}
