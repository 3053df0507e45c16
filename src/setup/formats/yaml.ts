/** Owns edits of YAML files: comments, order and the layout of lines stay, as far as the `yaml` package keeps them. */
import { type Document, isMap, isSeq, parseDocument } from "yaml";
import { GranaryError } from "../../errors.ts";
import type { KeyPath, PlainTree, PlainValue } from "../change.ts";
import { isTree, type TextFormat } from "../tree-edits.ts";

export const yamlFormat: TextFormat = {
  read: (text) => treeOf(parseYaml(text)),
  put: (text, path, value) =>
    withDocument(text, (document) => {
      makeParents(document, path);
      document.setIn(path, document.createNode(value));
    }),
  drop: (text, path) => withDocument(text, (document) => document.deleteIn(path)),
  prepend: (text, path, value) =>
    withDocument(text, (document) => {
      const list = document.getIn(path);
      if (isSeq(list)) list.items.unshift(document.createNode(value));
    }),
  dropItem: (text, path, index) => withDocument(text, (document) => document.deleteIn([...path, index])),
};

/** `text` after `edit` of what it says. */
export function withDocument(text: string, edit: (document: Document) => void): string {
  const document = parseYaml(text);
  edit(document);
  if (isMap(document.contents) && document.contents.items.length === 0) return "";
  return document.toString({ lineWidth: 0, ...layoutOf(text) });
}

/** Throws `config-invalid`: a clause with the line. */
export function parseYaml(text: string): Document {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) {
    const [sentence = ""] = error.message.split("\n");
    throw new GranaryError("config-invalid", `it is not YAML: ${sentence.replace(/:$/, "")}`);
  }
  if (document.contents !== null && !isMap(document.contents))
    throw new GranaryError("config-invalid", "it has no keys at its top");
  return document;
}

function treeOf(document: Document): PlainTree {
  const value = cleaned(document.toJS() ?? {});
  return isTree(value) ? value : {};
}

/** A key without a value says nothing. */
function cleaned(value: unknown): PlainValue {
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== null);
    return Object.fromEntries(members.map(([key, member]) => [key, cleaned(member)]));
  }
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : String(value);
}

/** `mirrors:` without anything below it is a null, into which nothing can be put. */
function makeParents(document: Document, path: KeyPath): void {
  if (document.contents === null) document.contents = document.createNode({});
  for (let depth = 1; depth < path.length; depth++) {
    const parent = path.slice(0, depth);
    if (document.getIn(parent) === null) document.setIn(parent, document.createNode({}));
  }
}

function layoutOf(text: string): { readonly indent: number; readonly indentSeq: boolean } {
  const depths = [...text.matchAll(/^( +)[^\s#]/gm)].map(([, indent = ""]) => indent.length);
  const isFlush = /^( *)[^\s#][^\n]*:[ \t]*\n\1- /m.test(text);
  return { indent: Math.min(8, ...(depths.length > 0 ? depths : [2])), indentSeq: !isFlush };
}
