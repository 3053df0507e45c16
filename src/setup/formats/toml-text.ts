/**
 * Owns where things stand in a TOML text: its keys with their full paths, its tables, and the lines that belong to them. Everything is a
 * range of characters, so that whoever edits touches nothing else. It changes nothing.
 */
import { type AST, getStaticTOMLValue, ParseError, parseTOML } from "toml-eslint-parser";
import { GranaryError } from "../../errors.ts";
import type { PlainTree, PlainValue } from "../change.ts";

export type TomlPath = readonly (string | number)[];

/** One `key = value`, wherever it stands. */
export type TomlKey = { readonly path: TomlPath; readonly node: AST.TOMLKeyValue };

export type TomlText = {
  readonly tree: PlainTree;
  /** Those of tables and of inline tables. */
  readonly keys: readonly TomlKey[];
  /** With a header of their own. */
  readonly tables: readonly AST.TOMLTable[];
  /** Where keys of no table end, and the first table begins; the end of the text where there is none. */
  readonly firstTable: number;
};

/** Throws `config-invalid`: a clause with the line. */
export function parseToml(text: string): TomlText {
  const program = parsed(text);
  const [top] = program.body;
  const tables = top.body.filter((node) => node.type === "TOMLTable");
  const loose = top.body.filter((node) => node.type === "TOMLKeyValue");
  const keys = [...loose.flatMap((node) => keysOf([], node)), ...tables.flatMap(keysOfTable)];
  return {
    tree: plainTree(getStaticTOMLValue(program)),
    keys,
    tables,
    firstTable: tables[0]?.range[0] ?? text.length,
  };
}

function parsed(text: string): AST.TOMLProgram {
  try {
    return parseTOML(text, { tomlVersion: "1.0" });
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const what = `${error.message.slice(0, 1).toLowerCase()}${error.message.slice(1)}`;
    throw new GranaryError("config-invalid", `it is not TOML: line ${error.lineNumber}: ${what}`);
  }
}

function keysOfTable(table: AST.TOMLTable): TomlKey[] {
  return table.body.flatMap((node) => keysOf(table.resolvedKey, node));
}

function keysOf(above: TomlPath, node: AST.TOMLKeyValue): TomlKey[] {
  const path = [...above, ...namesOf(node.key)];
  const { value } = node;
  const inside = value.type === "TOMLInlineTable" ? value.body.flatMap((each) => keysOf(path, each)) : [];
  return [{ path, node }, ...inside];
}

function namesOf({ keys }: AST.TOMLKey): string[] {
  return keys.map((key) => (key.type === "TOMLBare" ? key.name : key.value));
}

function plainTree(table: object): PlainTree {
  return Object.fromEntries(Object.entries(table).map(([key, value]) => [key, plainValue(value)]));
}

/** Dates are texts here: nothing that is edited is one. */
function plainValue(value: unknown): PlainValue {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value === "object" && value !== null) return plainTree(value);
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : String(value);
}

export function samePath(one: TomlPath, other: TomlPath): boolean {
  return one.length === other.length && one.every((part, index) => part === other[index]);
}

export function isBelow(path: TomlPath, above: TomlPath): boolean {
  return path.length > above.length && above.every((part, index) => part === path[index]);
}

/** `value` as TOML; tables inside of values are inline. */
export function tomlValue(value: PlainValue): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(", ")}]`;
  if (typeof value === "object") {
    const members = Object.entries(value).map(([key, inner]) => `${tomlKey([key])} = ${tomlValue(inner)}`);
    return `{ ${members.join(", ")} }`;
  }
  return typeof value === "string" ? quoted(value) : String(value);
}

/** `path` as a key: parts that need it are quoted. */
export function tomlKey(path: TomlPath): string {
  return path.map((part) => (/^[\w-]+$/.test(String(part)) ? String(part) : quoted(String(part)))).join(".");
}

/** The escapes of JSON are those of TOML, but for DEL. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007F");
}

/** The end of the line on which `offset` is, with its line end. */
export function lineEnd(text: string, offset: number): number {
  const end = text.indexOf("\n", offset);
  return end < 0 ? text.length : end + 1;
}

export function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

/** `text` with `part` in place of what stands between `start` and `end`. */
export function spliced(text: string, start: number, end: number, part: string): string {
  return `${text.slice(0, start)}${part}${text.slice(end)}`;
}

/** `text` with `lines` at `at`, which is the start of a line or the end of the text. */
export function withLines(text: string, at: number, lines: string): string {
  const before = text.slice(0, at);
  return `${before}${before === "" || before.endsWith("\n") ? "" : "\n"}${lines}${text.slice(at)}`;
}
