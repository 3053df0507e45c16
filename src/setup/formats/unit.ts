/** Owns edits of a systemd unit's drop-in: variables of its service. Other lines stay as they are. */
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
  for (const [, assignments = ""] of serviceLines(text)) {
    if (assignments === "") found.clear();
    for (const [, quoted, bare] of assignments.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)) {
      const [name = "", ...value] = (quoted ?? bare ?? "").split("=");
      found.set(name, value.join("=").replaceAll("%%", "%").replaceAll(/\\(.)/g, "$1"));
    }
  }
  return found;
}

function serviceLines(text: string): RegExpExecArray[] {
  let section = "";
  return text.split("\n").flatMap((line) => {
    section = /^\s*\[(.*)\]\s*$/.exec(line)?.[1] ?? section;
    const found = /^\s*Environment\s*=\s*(.*?)\s*$/.exec(line);
    return found !== null && section === "Service" ? [found] : [];
  });
}

function put(text: string, edit: VariableEdit): string {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const header = lines.findLastIndex((line) => /^\s*\[Service\]\s*$/.test(line));
  if (header < 0)
    return `${[...lines, ...(lines.length > 0 ? [""] : []), "[Service]", lineOf(edit)].join("\n")}\n`;
  const next = lines.findIndex((line, index) => index > header && /^\s*\[/.test(line));
  let end = next < 0 ? lines.length : next;
  while (lines[end - 1]?.trim() === "") end -= 1;
  return `${lines.toSpliced(end, 0, lineOf(edit)).join("\n")}\n`;
}

/** A percent sign begins a specifier there. */
function lineOf({ name, value }: VariableEdit): string {
  return `Environment="${name}=${value.replaceAll("%", "%%").replaceAll(/["\\]/g, "\\$&")}"`;
}
