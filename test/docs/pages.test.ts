/**
 * Shows that what the pages for users name is there: files, headings, commands with their options, functions, npm scripts, metrics. What
 * is beyond a test (clients, certificates, services) was done by hand as it is written.
 */
import { access, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { loadSettings } from "../../src/config/load.ts";
import * as library from "../../src/index.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { unknownIn } from "./command-lines.ts";
import { anchorsOf, blocksOf, linksIn, ROOT, readPage, rowsUnder } from "./markdown.ts";

async function pages(): Promise<string[]> {
  const isPage = (name: string) => name.endsWith(".md");
  const atRoot = (await readdir(ROOT)).filter(isPage);
  const inDocs = (await readdir(join(ROOT, "docs"))).filter(isPage).map((name) => `docs/${name}`);
  return [...atRoot, ...inDocs];
}

describe("every page", () => {
  it("links to files and headings that are there", async () => {
    const missing: string[] = [];
    for (const name of await pages()) {
      for (const link of linksIn(await readPage(name))) {
        if (!(await leadsSomewhere(name, link))) missing.push(`${name}: ${link}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it("has only JSON and YAML that can be read", async () => {
    for (const name of await pages()) {
      for (const { language, text } of blocksOf(await readPage(name))) {
        if (language === "json") expect(() => JSON.parse(text), `${name}: ${text}`).not.toThrow();
        if (language === "yaml") expect(() => parse(text), `${name}: ${text}`).not.toThrow();
      }
    }
  });

  it("names only npm scripts that there are", async () => {
    const { scripts } = JSON.parse(await readPage("package.json")) as { scripts: object };
    for (const name of await pages()) {
      const named = (await readPage(name)).matchAll(/npm run (?:--silent |-s )?([a-z][a-z0-9:-]*)/g);
      for (const [written, script = ""] of named)
        expect(Object.keys(scripts), `${name}: ${written}`).toContain(script);
    }
  });
});

describe("README.md", () => {
  it("has fewer than 250 lines", async () => {
    expect((await readPage("README.md")).split("\n").length - 1).toBeLessThan(250);
  });

  it("names only commands and options that there are", async () => {
    const page = await readPage("README.md");
    const written = [...page.matchAll(/`granary ([a-z][^`]*)`/g)].map(([, line = ""]) => line);
    expect(written.length).toBeGreaterThanOrEqual(5);
    for (const line of written) expect(await unknownIn(line), `granary ${line}`).toBeUndefined();
  });

  it("shows a configuration that loads, with its variables set", async () => {
    const blocks = blocksOf(await readPage("README.md")).filter(({ text }) => text.startsWith("storage:"));
    expect(blocks).toHaveLength(1);
    const file = join(await tempDirectory(), "granary.yaml");
    await writeFile(file, blocks[0]?.text ?? "");
    const env = { DOCKERHUB_USERNAME: "someone", DOCKERHUB_TOKEN: "a-token" };
    expect((await loadSettings(file, env)).storage).toMatchObject({ directory: "/srv/granary" });
  });

  it("calls functions that the library has", async () => {
    const page = await readPage("README.md");
    const named = [...page.matchAll(/\bawait (\w+)\(/g)].map(([, name = ""]) => name);
    expect(named.length).toBeGreaterThanOrEqual(5);
    for (const name of named) expect(library, name).toHaveProperty(name);
    const [imported = ""] = /(?<=import \{ ).*(?= \} from "granary")/.exec(page) ?? [];
    for (const name of imported.split(", ")) expect(library, name).toHaveProperty(name);
  });

  it("names metrics that are counted", async () => {
    const { registry } = createMetrics();
    const known = registry.getMetricsAsArray().map(({ name }) => name);
    for (const page of ["README.md", "docs/promises.md"]) {
      for (const [name] of (await readPage(page)).matchAll(/\bgranary_[a-z_]+\b/g))
        expect(known).toContain(name);
    }
  });

  it("quotes numbers that docs/performance.md has", async () => {
    const measured = await readPage("docs/performance.md");
    const rows = rowsUnder(await readPage("README.md"), "");
    expect(rows).toHaveLength(3);
    for (const [, granary = "", proxy = ""] of rows) {
      for (const cell of [granary, proxy]) {
        const [number = "?"] = /[\d.]+/.exec(cell) ?? [];
        expect(measured, cell).toContain(number);
      }
    }
  });

  it("shows the lab on light and dark pages by pictures that differ in their colours alone", async () => {
    const shape = async (name: string) =>
      (await readPage(`docs/pictures/lab-${name}.svg`)).replaceAll(/#[0-9a-f]{6}/g, "#");
    expect(await shape("dark")).toBe(await shape("light"));
  });
});

async function leadsSomewhere(page: string, link: string): Promise<boolean> {
  if (/^(?:https?|mailto):/.test(link)) return true;
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? page : join(dirname(page), path);
  const isThere = await access(join(ROOT, target)).then(
    () => true,
    () => false,
  );
  if (!isThere || anchor === undefined || !target.endsWith(".md")) return isThere;
  const text = await readPage(target);
  return (
    anchorsOf(text).includes(anchor) || text.includes(`id="${anchor}"`) || text.includes(`name="${anchor}"`)
  );
}
