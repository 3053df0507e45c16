/** Owns how tests read the pages of this repository: their tables, fenced blocks and links. It judges nothing. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "..", "..");

/** The text of a page, named from the root of the repository. */
export const readPage = (name: string): Promise<string> => readFile(join(ROOT, name), "utf8");

export type Block = { readonly language: string; readonly text: string };

/** What stands between ``` marks, in order. */
export function blocksOf(page: string): Block[] {
  const found = page.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm);
  return [...found].map(([, indent = "", language = "", text = ""]) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  }));
}

/** The rows of every table whose header begins with `first`, as the texts of their cells. */
export function rowsUnder(page: string, first: string): string[][] {
  const rows: string[][] = [];
  let isInside = false;
  for (const line of withoutBlocks(page).split("\n")) {
    if (!line.startsWith("|")) isInside = false;
    else if (isInside) rows.push(cellsOf(line));
    else isInside = cellsOf(line)[0] === first;
  }
  return rows.filter(([cell = ""]) => !/^[-: ]*$/.test(cell));
}

/** The text without its fenced blocks: what is read as Markdown. */
function withoutBlocks(page: string): string {
  return page.replaceAll(/^( *)```\w*\n[\s\S]*?^\1```$/gm, "");
}

/** Where links and pictures lead, of Markdown and of HTML. */
export function linksIn(page: string): string[] {
  const text = withoutBlocks(page).replaceAll(/`[^`\n]*`/g, "");
  const markdown = [...text.matchAll(/\]\(([^)\s]+)\)/g)];
  const html = [...text.matchAll(/(?:href|src|srcset)="([^"]+)"/g)];
  return [...markdown, ...html].map(([, target = ""]) => target);
}

/** The names by which headings of a page can be linked to, as GitHub makes them. */
export function anchorsOf(page: string): string[] {
  return [...withoutBlocks(page).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\- _]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function cellsOf(line: string): string[] {
  return line
    .replace(/^\|/, "")
    .replace(/\|\s*$/, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}
