/** Fuzz: whatever archives say, nothing outside the target changes, and the outcome is a tree or a GranaryError. */
import { lstat, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { TreeWriter } from "../../../src/client/extraction/tree-writer.ts";
import { diskTreeWriter } from "../../../src/client/extraction/tree-writer.ts";
import { isGranaryError } from "../../../src/errors.ts";
import { type TarItem, tarLayer } from "../../support/tar-layer.ts";
import { extractLayers, treeOf } from "./extract-world.ts";

/** Few names, so that entries meet; seldom one that is refused, so that much of an archive is tried. */
const plain = fc.constantFrom("a", "b", "c", "canary", ".wh.a", ".wh.b");
const odd = fc.constantFrom("..", ".", "", ".wh..", ".wh...", ".wh.", ".wh..wh..opq", ".wh..wh.plnk");
const part = fc.oneof({ weight: 40, arbitrary: plain }, { weight: 1, arbitrary: odd });
const name = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
  },
  { weight: 3, arbitrary: fc.constantFrom("a/.wh..wh..opq", ".wh..wh..opq", "./", "a/b/") },
  { weight: 1, arbitrary: fc.constantFrom("../new", "a/../../new", "../other/new", "../canary", "/new") },
  { weight: 1, arbitrary: fc.string({ maxLength: 12, unit: "binary" }) },
);
const target = fc.oneof(
  { weight: 2, arbitrary: name },
  { weight: 1, arbitrary: name.map((text) => `/${text}`) },
  { weight: 2, arbitrary: fc.constantFrom("..", "../..", "../other", "../canary", "../other/canary") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("/", "../root", "../root/../canary", "a/../../canary", "../../.."),
  },
);
const item: fc.Arbitrary<TarItem> = fc
  .record({
    name,
    linkName: target,
    type: fc.constantFrom(...Array.from("000000555552222222211136"), "7"),
    content: fc.constantFrom("", "x", "y".repeat(700)),
    mode: fc.constantFrom(0o644, 0o755, 0o000, 0o4755, 0o7777),
    isPax: fc.boolean(),
  })
  .map(({ isPax, type, content, linkName, ...rest }) => {
    const kept = type === "0" || type === "7" || type === "S" ? content : "";
    const link = type === "1" || type === "2" ? linkName : "";
    const pax = isPax ? { path: rest.name, ...(link !== "" && { linkpath: link }) } : undefined;
    return { ...rest, type, content: kept, linkName: link, ...(pax !== undefined && { pax }) };
  });
/** The oldest trick: a link to somewhere else, and an entry that goes through it. */
const throughLink = fc
  .tuple(fc.constantFrom("a", "a/b", "c"), target, item, plain)
  .map(([at, linkName, through, last]) => [
    { name: at, type: "2", linkName },
    { ...through, name: `${at}/${last}`, pax: {} },
  ]);
const some = fc.oneof(
  { weight: 10, arbitrary: item.map((one) => [one]) },
  { weight: 1, arbitrary: throughLink },
);
const layers = fc.array(
  fc.array(some, { maxLength: 12 }).map((items) => items.flat()),
  { minLength: 1, maxLength: 3 },
);

const refuse = async () => {
  throw Object.assign(new Error("no links here"), { code: "EPERM" });
};
const linkless: TreeWriter = { ...diskTreeWriter, link: refuse, symlink: refuse };

/** A place with something worth protecting around the target, as a tree and with the times of its parts. */
async function makeWorld() {
  const world = await mkdtemp(join(await realpath(tmpdir()), "granary-fuzz-"));
  await mkdir(join(world, "other"));
  for (const path of ["canary", "other/canary"]) await writeFile(join(world, path), "alive");
  await symlink("canary", join(world, "link"));
  return world;
}

async function outsideOf(world: string) {
  const names = ["canary", "other", "other/canary", "link"];
  const facts = await Promise.all(
    names.map(async (path) => {
      const { mode, mtimeMs, nlink, size, ino } = await lstat(join(world, path));
      return { path, mode, mtimeMs, nlink, size, ino };
    }),
  );
  return { facts, canary: await readFile(join(world, "other/canary"), "utf8") };
}

test.each([
  ["with links", diskTreeWriter],
  ["without links", linkless],
])("no sequence of entries reaches outside the target, on a file system %s", async (_, writer) => {
  let extracted = 0;
  await fc.assert(
    fc.asyncProperty(layers, async (items) => {
      const world = await makeWorld();
      try {
        const before = await outsideOf(world);
        const options = { directory: join(world, "root"), writer, maxEntries: 500 };
        const outcome = await extractLayers(items.map(tarLayer), options).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(isGranaryError(outcome), outcome.stack).toBe(true);
        else extracted++;
        expect(await outsideOf(world)).toEqual(before);
        const names = Object.keys(await treeOf(world)).filter((path) => !path.startsWith("root"));
        expect(names).toEqual(["canary", "link", "other", "other/canary"]);
      } finally {
        await rm(world, { recursive: true, force: true });
      }
    }),
    { numRuns: 200 },
  );
  expect(extracted).toBeGreaterThan(10);
});

test("a damaged archive ends in a tree or a GranaryError", async () => {
  const damage = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(layers, damage, fc.nat(), async ([items = []], hits, cut) => {
      const archive = tarLayer(items);
      for (const { at, byte } of hits) archive[at % archive.length] = byte;
      const bytes = archive.subarray(0, archive.length - (cut % 700));
      const world = await makeWorld();
      try {
        const outcome = await extractLayers([bytes], { directory: join(world, "root") }).catch(
          (error: unknown) => error,
        );
        if (outcome instanceof Error) expect(isGranaryError(outcome), outcome.stack).toBe(true);
      } finally {
        await rm(world, { recursive: true, force: true });
      }
    }),
    { numRuns: 150 },
  );
});
