/**
 * Owns edits of TOML: a key or a list is put, changed or dropped where it stands, and all comments and the layout around it stay. Keys
 * go into the table that is there, in the form that is there (a header, dotted keys, an inline table).
 */
import type { AST } from "toml-eslint-parser";
import { GranaryError } from "../../errors.ts";
import type { KeyPath, PlainTree, PlainValue } from "../change.ts";
import { isTree, type TextFormat } from "../tree-edits.ts";
import {
  isBelow,
  lineEnd,
  lineStart,
  parseToml,
  samePath,
  spliced,
  type TomlKey,
  type TomlPath,
  type TomlText,
  tomlKey,
  tomlValue,
  withLines,
} from "./toml-text.ts";

export const tomlFormat: TextFormat = {
  read: (text) => parseToml(text).tree,
  put,
  drop,
  prepend(text, path, value) {
    const { elements, range } = arrayAt(text, path);
    const [first] = elements;
    if (first === undefined) return spliced(text, range[0] + 1, range[0] + 1, tomlValue(value));
    const [, gap = " "] = /(\n[^\n]*)$/.exec(text.slice(range[0], first.range[0])) ?? [];
    return spliced(text, first.range[0], first.range[0], `${tomlValue(value)},${gap}`);
  },
  dropItem(text, path, index) {
    const { elements } = arrayAt(text, path);
    const [item, next, last] = [elements[index], elements[index + 1], elements[index - 1]];
    if (item === undefined) return text;
    if (next !== undefined) return spliced(text, item.range[0], next.range[0], "");
    return spliced(text, last?.range[1] ?? item.range[0], item.range[1], "");
  },
};

function arrayAt(text: string, path: KeyPath): AST.TOMLArray {
  const value = keyAt(parseToml(text), path)?.node.value;
  if (value?.type !== "TOMLArray") throw notHere(path);
  return value;
}

function keyAt({ keys }: TomlText, path: TomlPath): TomlKey | undefined {
  return keys.find((key) => samePath(key.path, path));
}

function put(text: string, path: KeyPath, value: PlainValue): string {
  const toml = parseToml(text);
  const known = keyAt(toml, path);
  if (known !== undefined) return spliced(text, ...known.node.value.range, tomlValue(value));
  if (isTree(value)) return putTable(text, toml, path, value);
  return putKey(text, toml, path, value);
}

/** A new key: in its table, beside dotted keys of that table, in its inline table, or below a new header at the end. */
function putKey(text: string, toml: TomlText, path: KeyPath, value: PlainValue): string {
  const parent = path.slice(0, -1);
  const line = `${tomlKey(path.slice(-1))} = ${tomlValue(value)}\n`;
  if (parent.length === 0) return withLines(text, endOfLooseKeys(text, toml), line);
  const table = toml.tables.find(
    ({ kind, resolvedKey }) => kind === "standard" && samePath(resolvedKey, parent),
  );
  if (table !== undefined) return withLines(text, endOfTable(text, table), `${indentOf(text, table)}${line}`);
  const inline = keyAt(toml, parent)?.node.value;
  if (inline?.type === "TOMLInlineTable") return putInline(text, inline, line.trimEnd());
  const dotted = toml.keys.findLast(
    (key) => isBelow(key.path, parent) && !isBelow(above(key), parent.slice(0, -1)),
  );
  if (dotted !== undefined && !samePath(above(dotted), parent)) return putDotted(text, dotted, path, value);
  return withLines(text, text.length, `${gapBefore(text)}[${tomlKey(parent)}]\n${line}`);
}

/** The path of the table in which the key stands. */
function above({ path, node }: TomlKey): TomlPath {
  return path.slice(0, path.length - node.key.keys.length);
}

function putInline(text: string, { body, range }: AST.TOMLInlineTable, member: string): string {
  const last = body.at(-1);
  if (last === undefined) return spliced(text, ...range, `{ ${member} }`);
  return spliced(text, last.range[1], last.range[1], `, ${member}`);
}

function putDotted(text: string, beside: TomlKey, path: KeyPath, value: PlainValue): string {
  const { range } = beside.node;
  const indent = text.slice(lineStart(text, range[0]), range[0]);
  const line = `${indent}${tomlKey(path.slice(above(beside).length))} = ${tomlValue(value)}\n`;
  return withLines(text, lineEnd(text, range[1]), line);
}

/** Before its first sibling, because the order of tables can be the order in which they are used; else at the end. */
function putTable(text: string, { tables }: TomlText, path: KeyPath, value: PlainTree): string {
  const parent = path.slice(0, -1);
  const sibling = tables.find(({ resolvedKey }) => parent.length > 0 && isBelow(resolvedKey, parent));
  const lines = tableLines(path, value);
  if (sibling === undefined) return withLines(text, text.length, `${gapBefore(text)}${lines}`);
  return withLines(text, startWithComments(text, sibling.range[0]), `${lines}\n`);
}

/** Comments right above a table are of that table. */
function startWithComments(text: string, offset: number): number {
  let start = lineStart(text, offset);
  while (start > 0) {
    const previous = lineStart(text, start - 1);
    if (!/^[ \t]*#/.test(text.slice(previous, start))) break;
    start = previous;
  }
  return start;
}

/** A table with its keys; tables in it get headers of their own. */
function tableLines(path: TomlPath, value: PlainTree): string {
  const members = Object.entries(value);
  const own = members.filter(([, member]) => !isTree(member));
  const below = members.flatMap(([key, member]) =>
    isTree(member) ? [tableLines([...path, key], member)] : [],
  );
  const keys = own.map(([key, member]) => `  ${tomlKey([key])} = ${tomlValue(member)}\n`);
  return [`[${tomlKey(path)}]\n${keys.join("")}`, ...below].join("\n");
}

function drop(text: string, path: KeyPath): string {
  const toml = parseToml(text);
  const known = keyAt(toml, path);
  if (known !== undefined) return withoutKey(text, known);
  const tables = toml.tables.filter(
    ({ resolvedKey }) => samePath(resolvedKey, path) || isBelow(resolvedKey, path),
  );
  return tables.toReversed().reduce(withoutTable, text);
}

function withoutKey(text: string, { node }: TomlKey): string {
  const { parent, range } = node;
  if (parent.type === "TOMLInlineTable") return withoutMember(text, parent, node);
  return spliced(text, lineStart(text, range[0]), lineEnd(text, range[1]), "");
}

function withoutMember(text: string, { body, range }: AST.TOMLInlineTable, node: AST.TOMLKeyValue): string {
  if (body.length === 1) return spliced(text, ...range, "{}");
  const index = body.indexOf(node);
  const [next, last] = [body[index + 1], body[index - 1]];
  if (next !== undefined) return spliced(text, node.range[0], next.range[0], "");
  return spliced(text, last?.range[1] ?? node.range[0], node.range[1], "");
}

/** Its lines, and the empty one that keeps it apart from what is above it, or below it where nothing is above. */
function withoutTable(text: string, table: AST.TOMLTable): string {
  const start = lineStart(text, table.range[0]);
  const end = endOfTable(text, table);
  if (text.slice(0, start).endsWith("\n\n")) return spliced(text, start - 1, end, "");
  return spliced(text, start, start === 0 && text[end] === "\n" ? end + 1 : end, "");
}

function endOfTable(text: string, { body, range }: AST.TOMLTable): number {
  return lineEnd(text, body.at(-1)?.range[1] ?? headerEnd(text, range[0]));
}

/** A header may hold brackets inside of quotes; it always ends on its line. */
function headerEnd(text: string, start: number): number {
  return lineEnd(text, start) - 1;
}

function endOfLooseKeys(text: string, { keys, firstTable }: TomlText): number {
  const last = keys.filter(({ node }) => node.parent.type === "TOMLTopLevelTable").at(-1);
  if (last !== undefined) return lineEnd(text, last.node.range[1]);
  return firstTable === text.length ? text.length : startWithComments(text, firstTable);
}

function indentOf(text: string, { body, range }: AST.TOMLTable): string {
  const at = body.at(-1)?.range[0] ?? range[0];
  const indent = text.slice(lineStart(text, at), at);
  return /^[ \t]*$/.test(indent) ? indent : "";
}

/** New tables at the end are kept apart by an empty line. */
export function gapBefore(text: string): string {
  return text === "" || text.endsWith("\n\n") ? "" : "\n";
}

function notHere(path: KeyPath): GranaryError {
  return new GranaryError("config-invalid", `${path.join(".")} is not a list there: mend that first`);
}
