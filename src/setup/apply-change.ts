/**
 * Owns how a change becomes a text, and how it is taken back: the format is chosen here, and what texts are dressed in (a byte order mark,
 * the line ends of Windows) is put aside before and back afterwards. Pure.
 */
import { GranaryError, messageOf } from "../errors.ts";
import type { FileEdit } from "./change.ts";
import { jsonFormat } from "./formats/json.ts";
import { applyKind, revertKind } from "./formats/kind-cluster.ts";
import { applyMirrors, revertMirrors } from "./formats/registries.ts";
import { tomlFormat } from "./formats/toml.ts";
import { applyVariables, revertVariables } from "./formats/unit.ts";
import { yamlFormat } from "./formats/yaml.ts";
import { applyEdits, revertEdits } from "./tree-edits.ts";

/**
 * `text` with `change` in it, and the same text where it has it already. Throws `config-invalid` with a clause (no file's name, no full
 * stop) for a text that cannot be read, or not be changed without losing something.
 */
export function applyChange(text: string, change: FileEdit): string {
  return dressed(text, (plain) => applied(plain, change));
}

/** `text` without `change`, made of `before`; what others changed since stays. Throws as `applyChange` does. */
export function revertChange(text: string, change: FileEdit, before: string): string {
  return dressed(text, (plain) => reverted(plain, change, undressed(before)));
}

function applied(text: string, change: FileEdit): string {
  switch (change.format) {
    case "json":
    case "toml":
    case "yaml":
      return applyEdits(FORMATS[change.format], text, change.edits);
    case "registries":
      return applyMirrors(text, change.edits);
    case "kind":
      return applyKind(text, change.edits);
    case "unit":
      return applyVariables(text, change.edits);
    case "whole":
      return change.edits.at(-1)?.text ?? text;
  }
}

function reverted(text: string, change: FileEdit, before: string): string {
  switch (change.format) {
    case "json":
    case "toml":
    case "yaml":
      return revertEdits(FORMATS[change.format], text, change.edits, before);
    case "registries":
      return revertMirrors(text, change.edits, before);
    case "kind":
      return revertKind(text, change.edits, before);
    case "unit":
      return revertVariables(text, change.edits, before);
    case "whole":
      return text === change.edits.at(-1)?.text ? before : text;
  }
}

const FORMATS = { json: jsonFormat, toml: tomlFormat, yaml: yamlFormat };

const MARK = "\uFEFF";

function dressed(text: string, edit: (plain: string) => string): string {
  const plain = undressed(text);
  const edited = checked(() => edit(plain));
  if (edited === plain) return text;
  const ends = isOfWindows(text) ? ending(edited).replaceAll("\n", "\r\n") : ending(edited);
  return text.startsWith(MARK) ? `${MARK}${ends}` : ends;
}

function undressed(text: string): string {
  const bare = text.startsWith(MARK) ? text.slice(1) : text;
  return isOfWindows(text) ? bare.replaceAll("\r\n", "\n") : bare;
}

/** Every line ends so; where they are mixed, each stays as it is. */
function isOfWindows(text: string): boolean {
  return text.includes("\r\n") && !/(?:^|[^\r])\n/.test(text);
}

function ending(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

function checked<T>(edit: () => T): T {
  try {
    return edit();
  } catch (error) {
    if (error instanceof GranaryError) throw error;
    throw new GranaryError("config-invalid", messageOf(error), { cause: error });
  }
}
