/** Owns edits of a systemd unit's drop-in: variables of its service. Other lines stay as they are. */
import { GranaryError } from "../../errors.ts";
import type { VariableEdit } from "../change.ts";

/** `text` whose service runs with the variables; of several lines for one variable systemd takes the last. */
export function applyVariables(text: string, edits: readonly VariableEdit[]): string {
  return edits.reduce(
    (edited, edit) => (variablesOf(edited).get(edit.name) === edit.value ? edited : put(edited, edit)),
    text,
  );
}

/** Without the lines that were added; a section that was made for them goes with the last of them. */
export function revertVariables(text: string, edits: readonly VariableEdit[], before: string): string {
  const kept = before.split("\n");
  const lines = edits.map(lineOf).filter((line) => !kept.includes(line));
  const bare = text.split("\n").filter((line) => !lines.includes(line));
  const isEmpty = bare.every((line) => line.trim() === "" || line === "[Service]");
  return isEmpty && !kept.includes("[Service]") ? "" : bare.join("\n");
}

/** The variables that the file's service sections set, by name. */
export function variablesOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const assignments of serviceLines(text)) {
    if (assignments === "") found.clear();
    for (const word of assignments.match(WORD) ?? []) {
      const [name = "", ...value] = plainWord(word).split("=");
      found.set(name, value.join("=").replaceAll("%%", "%"));
    }
  }
  return found;
}

/** Quotes of both kinds may begin anywhere in a word (systemd.syntax, "Quoting"). */
const WORD = /(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')+/g;

function plainWord(word: string): string {
  return word.replaceAll(
    /"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|\\(.)/g,
    (_, double: string | undefined, single: string | undefined, escaped: string | undefined) =>
      (double ?? single)?.replaceAll(/\\(.)/g, "$1") ?? escaped ?? "",
  );
}

function serviceLines(text: string): string[] {
  let section = "";
  return wholeLines(text).flatMap((line) => {
    section = /^\s*\[(.*)\]\s*$/.exec(line)?.[1] ?? section;
    const assignments = /^\s*Environment\s*=\s*(.*?)\s*$/s.exec(line)?.[1];
    return assignments !== undefined && section === "Service" ? [assignments] : [];
  });
}

/** As systemd joins them: after a backslash at its end a line goes on with the next one that is no comment. */
function wholeLines(text: string): string[] {
  const lines: string[] = [];
  let begun = "";
  for (const line of text.split("\n").filter((each) => !isComment(each))) {
    if (line.endsWith("\\")) begun += `${line.slice(0, -1)} `;
    else {
      lines.push(begun + line);
      begun = "";
    }
  }
  return [...lines, begun];
}

function isComment(line: string): boolean {
  return /^\s*[#;]/.test(line);
}

function put(text: string, edit: VariableEdit): string {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const header = lines.findLastIndex((line) => /^\s*\[Service\]\s*$/.test(line));
  if (header < 0)
    return `${[...lines, ...(lines.length > 0 ? [""] : []), "[Service]", lineOf(edit)].join("\n")}\n`;
  const next = lines.findIndex((line, index) => index > header && /^\s*\[/.test(line));
  let end = next < 0 ? lines.length : next;
  while (lines[end - 1]?.trim() === "") end -= 1;
  const last = lines[end - 1] ?? "";
  if (last.endsWith("\\") && !isComment(last))
    throw new GranaryError(
      "config-invalid",
      "its last line ends with a backslash and goes on nowhere: mend that first",
    );
  return `${lines.toSpliced(end, 0, lineOf(edit)).join("\n")}\n`;
}

/** A percent sign begins a specifier there. */
function lineOf({ name, value }: VariableEdit): string {
  return `Environment="${name}=${value.replaceAll("%", "%%").replaceAll(/["\\]/g, "\\$&")}"`;
}
