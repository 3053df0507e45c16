/** Owns how tests see the files of this repository: their names, and the comments in them. It judges nothing. */
import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { ROOT } from "./markdown.ts";

/** Folders whose files are ours, and nothing that is built or installed. */
const FOLDERS = [".ci", "config", "docs", "src", "test"];

/** All files, named from the root with "/". Sorted. */
export async function repositoryFiles(): Promise<string[]> {
  const top = await readdir(ROOT, { withFileTypes: true });
  const below = await Promise.all(
    FOLDERS.map((folder) => readdir(join(ROOT, folder), { recursive: true, withFileTypes: true })),
  );
  const inside = below.flat().filter((entry) => entry.isFile());
  const names = inside.map(({ parentPath, name }) => relative(ROOT, join(parentPath, name)));
  const atTop = top.filter((entry) => entry.isFile()).map(({ name }) => name);
  return [...atTop, ...names.map((name) => name.replaceAll(sep, "/"))].sort();
}

/** `files` with every folder that they lie in. */
export function withFolders(files: readonly string[]): ReadonlySet<string> {
  const all = new Set(files);
  for (const file of files) {
    const parts = file.split("/");
    for (let count = 1; count < parts.length; count += 1) all.add(parts.slice(0, count).join("/"));
  }
  return all;
}

export type Comment = { readonly text: string; readonly line: number };

/** The comments of a TypeScript text, with the line that each begins in. */
export function commentsOf(text: string): Comment[] {
  const found = text.matchAll(/(?<=^|\s)(?:\/\*[\s\S]*?\*\/|\/\/.*$)/gm);
  return [...found].map((match) => ({
    // As one running text: a citation may go on in the next line.
    text: match[0].replaceAll(/\n\s*\*(?!\/) ?/g, " "),
    line: text.slice(0, match.index).split("\n").length,
  }));
}

export const readFromRoot = (name: string): Promise<string> => readFile(join(ROOT, name), "utf8");
