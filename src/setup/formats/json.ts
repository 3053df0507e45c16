/**
 * Owns edits of JSON files whose layout people care about. They are read as strictly as programs read them (no comments, no trailing
 * commas): what is refused here is refused by the client as well.
 */
import {
  applyEdits,
  type FormattingOptions,
  type JSONPath,
  modify,
  type ParseError,
  parse,
  printParseErrorCode,
} from "jsonc-parser";
import { GranaryError } from "../../errors.ts";
import type { PlainTree, PlainValue } from "../change.ts";
import type { TextFormat } from "../tree-edits.ts";

export const jsonFormat: TextFormat = {
  read,
  put: (text, path, value) => edited(text.trim() === "" ? "{}\n" : text, [...path], value),
  drop: (text, path) => edited(text, [...path], undefined),
  prepend: (text, path, value) => edited(text, [...path, 0], value, true),
  dropItem: (text, path, index) => edited(text, [...path, index], undefined),
};

function edited(
  text: string,
  path: JSONPath,
  value: PlainValue | undefined,
  isArrayInsertion = false,
): string {
  const formattingOptions = layoutOf(text);
  return applyEdits(text, modify(text, path, value, { formattingOptions, isArrayInsertion }));
}

function layoutOf(text: string): FormattingOptions {
  const [, indent = "  "] = /\n([ \t]+)\S/.exec(text) ?? [];
  return indent.startsWith("\t")
    ? { insertSpaces: false, tabSize: 4, eol: "\n" }
    : { insertSpaces: true, tabSize: indent.length, eol: "\n" };
}

function read(text: string): PlainTree {
  if (text.trim() === "") return {};
  const errors: ParseError[] = [];
  parse(text, errors, { disallowComments: true, allowTrailingComma: false });
  const [error] = errors;
  if (error !== undefined) throw broken(text, error);
  // Of a key that stands there twice, programs take the last: so must whoever compares.
  const value: unknown = JSON.parse(text);
  if (!isObject(value)) throw new GranaryError("config-invalid", "it is not a JSON object in braces");
  return value;
}

/** What JSON.parse gives is made of these; a null stands for something that nobody edits. */
function isObject(value: unknown): value is PlainTree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function broken(text: string, { error, offset }: ParseError): GranaryError {
  const line = text.slice(0, offset).split("\n").length;
  const words = printParseErrorCode(error)
    .replaceAll(/(?!^)([A-Z])/g, " $1")
    .toLowerCase();
  return new GranaryError("config-invalid", `it is not JSON: line ${line}: ${words}`);
}
