/** Shows that docs/architecture.md is true of the tree: its rooms are those that are checked, its tests and its hops exist. */
import { relative } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { exitCodeOf } from "../../src/cli/exit-code.ts";
import { type ErrorCode, GranaryError } from "../../src/errors.ts";
import { errorAnswer } from "../../src/http/answers/error-answer.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { layoutOf } from "../../src/store/layout.ts";
import { blocksOf, readPage, rowsUnder } from "./markdown.ts";
import { readFromRoot, repositoryFiles, withFolders } from "./repository.ts";

let page: string;
let files: string[];
beforeAll(async () => {
  page = await readPage("docs/architecture.md");
  files = await repositoryFiles();
});

/** The text below the heading `title`, to the next heading of its kind. */
function sectionOf(title: string): string {
  const [, after = ""] = page.split(`\n## ${title}\n`);
  return after.split("\n## ")[0] ?? "";
}

describe("the rooms", () => {
  it("are those whose order is checked, rank by rank", async () => {
    const told: string[][] = [];
    for (const [rank = "", room = ""] of rowsUnder(page, "rank")) {
      if (Number(rank) === told.length) told.push([]);
      expect(Number(rank), room).toBe(told.length - 1);
      told.at(-1)?.push(room.replaceAll("`", ""));
    }
    expect(told).toEqual(await checkedRanks());
  });

  it("are there, each with a sentence", () => {
    const known = withFolders(files);
    for (const [, room = "", promise = ""] of rowsUnder(page, "rank")) {
      expect(known, room).toContain(`src/${room.replaceAll("`", "")}`);
      expect(promise, room).toMatch(/\.$/);
    }
  });
});

/** RANKS as .dependency-cruiser.cjs has them: rank by rank, the names of the rooms. */
async function checkedRanks(): Promise<string[][]> {
  const rules = await readFromRoot(".dependency-cruiser.cjs");
  const [, list = ""] = /const RANKS = \[\n([\s\S]*?)\n\];/.exec(rules) ?? [];
  return [...list.matchAll(/^ {2}\[([^\]]*)\]/gm)].map(([, rooms = ""]) =>
    [...rooms.matchAll(/"([^"]+)"/g)].map(([, room = ""]) => room),
  );
}

describe("the names", () => {
  it("that src/ exports stand for one thing each", async () => {
    const sources = files.filter((file) => file.startsWith("src/") && file.endsWith(".ts"));
    const exported = /^export (?:async )?(?:type|interface|class|const|function\*?) (\w+)/gm;
    const names = await Promise.all(
      sources.map(async (file) => [...new Set((await readFromRoot(file)).match(exported) ?? [])]),
    );
    const counts = Map.groupBy(names.flat(), (found) => found.split(" ").at(-1) ?? "");
    expect([...counts].filter(([, found]) => found.length > 1).map(([name]) => name)).toEqual([]);
  });
});

describe.each([
  ["Invariants", "F", 18],
  ["Invariants of a fleet", "G", 14],
])("each of the %s", (section, letter, count) => {
  const held = () =>
    sectionOf(section)
      .split(/^### /m)
      .slice(1)
      .map((text) => ({
        name: new RegExp(`^${letter}\\d+`).exec(text)?.[0] ?? text,
        tests: [...text.matchAll(/^- `([^`]+)` "(.+)"$/gm)].map(([, file = "", title = ""]) => ({
          file,
          title,
        })),
      }));

  it("has a sentence, and tests that are there under the names that are told", async () => {
    expect(held()).toHaveLength(count);
    for (const { name, tests } of held()) {
      expect(tests.length, name).toBeGreaterThan(0);
      for (const { file, title } of tests)
        expect(await readFromRoot(file), `${name}: ${title}`).toContain(title);
    }
  });

  it("has tests that carry its number", async () => {
    for (const { name, tests } of held()) {
      const texts = await Promise.all(tests.map(({ file }) => readFromRoot(file)));
      expect(
        texts.some((text) => new RegExp(`${name}\\b`).test(text)),
        name,
      ).toBe(true);
    }
  });
});

describe("the requests that are drawn", () => {
  it("are drawn without semicolons, which end a line in Mermaid", () => {
    const drawings = blocksOf(page).filter(({ language }) => language === "mermaid");
    expect(drawings).toHaveLength(5);
    expect(drawings.filter(({ text }) => text.includes(";"))).toEqual([]);
  });

  it("pass files that are there, in the rooms that they are drawn in", () => {
    const hops = [...sectionOf("Three requests").matchAll(/[\w-]+(?:\/[\w-]+)*\.ts/g)].map(([hop]) => hop);
    expect(hops.length).toBeGreaterThan(40);
    const sources = files.filter((file) => file.startsWith("src/"));
    expect(hops.filter((hop) => !sources.some((file) => file.endsWith(`/${hop}`)))).toEqual([]);
  });
});

describe("the errors", () => {
  it("are all there, each with the status and the exit code that it becomes", async () => {
    const [, union = ""] =
      /export type ErrorCode =\n([^;]*);/.exec(await readFromRoot("src/errors.ts")) ?? [];
    const codes = [...union.matchAll(/"([a-z-]+)"/g)].map(([, code]) => code as ErrorCode);
    const expected = codes.map((code) => {
      const error = new GranaryError(code, "Something happened.");
      const { status } = errorAnswer(error, { kind: "manifest", rateLimitedStatus: 429 });
      return [`\`${code}\``, String(status), String(exitCodeOf(error))];
    });
    expect(rowsUnder(page, "code").map(([code, , status, exit]) => [code, status, exit])).toEqual(expected);
  });
});

describe("what a kill leaves behind", () => {
  it("is told of everything that lies in a storage directory", () => {
    const layout = layoutOf("/storage");
    const hex = "ab".repeat(32);
    const digest = parseDigest(`sha256:${hex}`);
    const { data, map } = layout.partial({ digest, upstream: "hub.test" });
    const paths = [
      layout.blob(digest),
      data,
      map,
      layout.database,
      layout.socket,
      layout.damaged,
      layout.authority,
    ];
    const told = sectionOf("What a kill leaves behind");
    for (const path of paths) {
      const name = relative("/storage", path).replace("/ab/", "/<2 hex>/").replace(hex, "<hex>");
      expect(told, name).toContain(`\`${name.replace("hub.test", "<upstream>")}`);
    }
  });
});
