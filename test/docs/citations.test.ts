/**
 * Shows that whatever the code and the pages cite is there: pages and their sections, files, folders, invariants. What is not in this
 * repository is cited where it is public: `owner/repo#123`, or `owner/repo path/of/file`.
 */
import { posix } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { anchorsOf, linksIn } from "./markdown.ts";
import { commentsOf, readFromRoot, repositoryFiles, withFolders } from "./repository.ts";

/** A text that may cite, and where it stands, as a person would look for it. */
type Passage = { readonly where: string; readonly text: string };

let files: string[];
let known: ReadonlySet<string>;
let baseNames: ReadonlySet<string>;
/** The pages by name. */
let pages: Map<string, string>;
let comments: Passage[];
/** Titles of tests and other texts of the code. */
let code: Passage[];

beforeAll(async () => {
  files = await repositoryFiles();
  known = withFolders(files);
  baseNames = new Set(files.map((file) => posix.basename(file)));
  pages = new Map();
  comments = [];
  code = [];
  for (const file of files.filter((name) => name.endsWith(".md"))) pages.set(file, await readFromRoot(file));
  for (const file of files.filter((name) => /^(src|test)\/.*\.(ts|js)$/.test(name))) {
    const text = await readFromRoot(file);
    comments.push(...commentsOf(text).map((found) => ({ ...found, where: `${file}:${found.line}` })));
    code.push(...text.split("\n").map((line, at) => ({ text: line, where: `${file}:${at + 1}` })));
  }
});

/** What `pattern` finds in `passages`, except what `isFine` says is there. The first group is what was cited. */
function missing(
  passages: readonly Passage[],
  pattern: RegExp,
  isFine: (cited: string, passage: Passage) => boolean,
): string[] {
  return passages.flatMap((passage) =>
    [...passage.text.matchAll(pattern)]
      .map(([, cited = ""]) => cited)
      .filter((cited) => !isFine(cited, passage))
      .map((cited) => `${passage.where}: ${cited}`),
  );
}

/** Not preceded by the public repository that it is a file of. */
const OURS = String.raw`(?<![\w.-]+/[\w.-]+ )(?<![\w./@-])`;

const pagePassages = (): Passage[] => [...pages].map(([where, text]) => ({ where, text }));

describe("a comment cites only what is there", () => {
  it("sections of our pages", () => {
    const cited = /(docs\/[\w-]+\.md#[\w-]+)/g;
    const isThere = (citation: string) => {
      const [page = "", anchor = ""] = citation.split("#");
      return anchorsOf(pages.get(page) ?? "").includes(anchor);
    };
    expect(missing(comments, cited, isThere)).toEqual([]);
  });

  it("pages", () => {
    const cited = new RegExp(`${OURS}([\\w./-]+\\.md)\\b`, "g");
    expect(missing(comments, cited, (page) => known.has(page))).toEqual([]);
  });

  it("files and folders by their path", () => {
    const cited = new RegExp(`${OURS}((?:src|test|config|docs|\\.ci)/[\\w./-]*[\\w/])`, "g");
    const isThere = (path: string) => known.has(path.replace(/\/$/, ""));
    expect(missing(comments, cited, isThere)).toEqual([]);
  });

  it("files of the code by their name", () => {
    const cited = new RegExp(`${OURS}((?:[\\w-]+/)*[\\w-]+(?:\\.test)?\\.ts)\\b`, "g");
    const isThere = (name: string) =>
      name.includes("/") ? files.some((file) => `/${file}`.endsWith(`/${name}`)) : baseNames.has(name);
    expect(missing(comments, cited, isThere)).toEqual([]);
  });

  it("public issues with the repository that they are issues of", () => {
    expect(missing(comments, /(?<![\w.-]\/[\w.-]+)(#\d{2,})\b/g, () => false)).toEqual([]);
  });
});

it("no comment and no title of a test cites a numbered line of something else", () => {
  const numbered = /\((?:[^()]*[,;] )?((?:[A-EH-Z]\d{1,2}|[A-Z]\.\d{1,2})(?:-[A-Z]?\d+)?)(?:[,;:][^()]*)?\)/g;
  const isCode = (_: string, { text }: Passage) => !/["'`*]|\/\//.test(text);
  expect(missing(code, numbered, isCode)).toEqual([]);
  expect(missing(code, /\b(design,? section \d+|checklist,? \d+)\b/g, () => false)).toEqual([]);
});

it("invariants that are cited are explained in docs/architecture.md", () => {
  const explained = [...(pages.get("docs/architecture.md") ?? "").matchAll(/^### ([FG]\d+):/gm)].map(
    ([, name]) => name,
  );
  const numbered = (letter: string, length: number) =>
    Array.from({ length }, (_, at) => `${letter}${at + 1}`);
  expect(explained).toEqual([...numbered("F", 18), ...numbered("G", 14)]);
  const isExplained = (name: string) => explained.includes(name);
  expect(missing(code, /(?<![\w"'#./+-])([FG]\d{1,2})(?![\w.])/g, isExplained)).toEqual([]);
});

describe("a page cites only what is there", () => {
  it("links lead to files and sections of this repository", () => {
    const broken = [...pages].flatMap(([page, text]) =>
      linksIn(text)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !leads(page, target))
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it("files, folders and pages that are named", () => {
    const passages = pagePassages().filter(({ where }) => where !== "README.md" && where !== "CHANGELOG.md");
    const paths = new RegExp(`\`${OURS}((?:src|test|config|docs|\\.ci)/[\\w./-]*[\\w/])`, "g");
    expect(missing(passages, paths, (path) => known.has(path.replace(/\/$/, "")))).toEqual([]);
    const names = new RegExp(`\`${OURS}([\\w-]+(?:\\.test)?\\.(?:ts|md))\``, "g");
    expect(missing(passages, names, (name) => baseNames.has(name))).toEqual([]);
  });
});

function leads(page: string, target: string): boolean {
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? page : posix.join(posix.dirname(page), path);
  if (!known.has(file.replace(/\/$/, ""))) return false;
  return anchor === undefined || anchorsOf(pages.get(file) ?? "").includes(anchor);
}
