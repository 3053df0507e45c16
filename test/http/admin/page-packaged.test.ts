/** Shows that what is published has the whole page: its files are copied by the build, and its packages are there without those for development. */
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

type Package = {
  readonly scripts: { readonly build: string };
  readonly files: readonly string[];
  readonly dependencies: Readonly<Record<string, string>>;
};

const readPackage = async () => JSON.parse(await readFile("package.json", "utf8")) as Package;

test("the build copies every file that the page is served from, and no settings of a compiler", async () => {
  const { scripts, files } = await readPackage();
  const place = await mkdtemp(join(tmpdir(), "granary-build-"));
  onTestFinished(() => rm(place, { recursive: true, force: true }));
  await cp("src/page", join(place, "src/page"), { recursive: true });
  // The compiler makes the directory; what follows it is for the page.
  const [, afterwards = ""] = scripts.build.split("tsc -p src");
  execFileSync("sh", ["-c", `mkdir dist && : ${afterwards}`], { cwd: place });
  const listed = async (folder: string) => (await readdir(folder, { recursive: true })).toSorted();
  const wanted = (await listed("src/page")).filter((name) => name !== "tsconfig.json");
  expect(await listed(join(place, "dist/page"))).toEqual(wanted);
  expect(files).toContain("dist");
});

test("every package that the page imports is one that is installed without those for development", async () => {
  const { dependencies } = await readPackage();
  const names = (await readdir("src/page", { recursive: true })).filter((name) => name.endsWith(".js"));
  const texts = await Promise.all(names.map((name) => readFile(join("src/page", name), "utf8")));
  const imported = texts.flatMap((text) => [...text.matchAll(/^import .*? from "([^."][^"]*)";$/gm)]);
  const packages = new Set(imported.map(([, name = ""]) => /^(@[^/]+\/[^/]+|[^/]+)/.exec(name)?.[0] ?? name));
  expect(packages.size).toBeGreaterThan(2);
  expect([...packages].filter((name) => dependencies[name] === undefined)).toEqual([]);
});
