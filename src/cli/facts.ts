/**
 * Owns facts as people read them on a terminal: a name and what is known, aligned, as wide as the terminal is. No digest, name or number is
 * ever broken by it, so that each can be copied. Pure.
 */
import { formatBytes } from "../bytes/units.ts";
import { visibleLine } from "../observe/visible-text.ts";
import { asObject } from "../oci/json-value.ts";

/** A fact without a value, or with no lines, is not shown. */
export type Fact = readonly [name: string, value: string | readonly string[] | undefined];

const GAP = 2;

/** Below this many columns beside the names, values stand on lines of their own. */
const NARROW = 24;

/** The facts that have a value, in lines of at most `columns` where their words allow it. */
export function formatFacts(facts: readonly Fact[], columns: number): string {
  const known = facts
    .map(([name, value]) => ({ name: visibleLine(name), lines: linesIn(value) }))
    .filter(({ lines }) => lines.length > 0);
  const indent = Math.max(0, ...known.map(({ name }) => name.length)) + GAP;
  const isNarrow = columns - indent < NARROW;
  return known
    .flatMap(({ name, lines }) =>
      isNarrow ? stacked(name, lines, columns) : beside(name, lines, indent, columns),
    )
    .join("\n");
}

function linesIn(value: string | readonly string[] | undefined): readonly string[] {
  const lines = typeof value === "string" ? [value] : (value ?? []);
  return lines.every((line) => line === "") ? [] : lines.map(visibleLine);
}

/** What is too long for the room beside the names begins below its name: there it may just fit. */
function beside(name: string, lines: readonly string[], indent: number, columns: number): readonly string[] {
  const room = columns - indent;
  const wrapped = lines.flatMap((line) => wrap(line, room));
  if (wrapped.some((line) => line.length > room)) return stacked(name, lines, columns);
  return wrapped.map((line, index) => `${(index === 0 ? name : "").padEnd(indent)}${line}`);
}

function stacked(name: string, lines: readonly string[], columns: number): readonly string[] {
  const room = columns - GAP;
  return [name, ...lines.flatMap((line) => wrap(line, room)).map((line) => `${" ".repeat(GAP)}${line}`)];
}

/** Broken at spaces only. */
function wrap(line: string, room: number): string[] {
  if (line.length <= room) return [line];
  const before = line.lastIndexOf(" ", room);
  const space = before > 0 ? before : line.indexOf(" ", 1);
  if (space <= 0) return [line];
  return [line.slice(0, space).trimEnd(), ...wrap(line.slice(space + 1), room)];
}

/** "3.4 MiB (3562123 bytes)". */
export function sizeWords(bytes: number): string {
  return bytes < 1024 ? `${bytes} bytes` : `${formatBytes(bytes)} (${bytes} bytes)`;
}

type ShownLayer = { readonly digest: string; readonly size: number; readonly role?: string };

/** Size, role and digest of each, aligned; digests are shortened, as engines do, where they would not fit. */
export function layerLines(layers: readonly ShownLayer[], columns: number): string[] {
  const rows = layers.map(({ size, role = "", digest }) => ({ size: formatBytes(size), role, digest }));
  const sizeWidth = Math.max(0, ...rows.map(({ size }) => size.length));
  const roleWidth = Math.max(0, ...rows.map(({ role }) => role.length));
  const lines = rows.map(({ size, role, digest }) => {
    const head = [size.padStart(sizeWidth), ...(roleWidth > 0 ? [role.padEnd(roleWidth)] : [])].join("  ");
    return { head, digest };
  });
  const isWide = lines.every(({ head, digest }) => `${head}  ${digest}`.length <= columns - LONGEST_NAME);
  return lines.map(({ head, digest }) => `${head}  ${isWide ? digest : digest.slice(0, SHORT_DIGEST)}`);
}

/** Names of facts beside which a whole digest is still wanted. */
const LONGEST_NAME = 16;

/** "sha256:" and 12 digits. */
const SHORT_DIGEST = 19;

/** A value of somebody's JSON: text by its lines, a list of variables or an object by its members, other lists on one line. */
export function valueLines(value: unknown): string[] {
  if (value === null || value === undefined) return [];
  if (typeof value === "string") return value.replace(/\n+$/, "").split("\n");
  if (Array.isArray(value)) return isVariables(value) ? value.map(String) : oneLine(value);
  const object = asObject(value);
  return object === undefined ? [String(value)] : Object.entries(object).map(memberLine);
}

function isVariables(list: readonly unknown[]): boolean {
  return list.length > 0 && list.every((item) => typeof item === "string" && /^\w+=/.test(item));
}

function oneLine(list: readonly unknown[]): string[] {
  return list.length === 0 ? [] : [JSON.stringify(list)];
}

/** Docker writes sets as objects of empty objects: `{"80/tcp":{}}`. */
function memberLine([key, value]: [string, unknown]): string {
  if (typeof value === "string") return `${key}=${value}`;
  return Object.keys(asObject(value) ?? { value }).length === 0 ? key : `${key}=${JSON.stringify(value)}`;
}
