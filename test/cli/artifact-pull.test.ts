/** Shows `granary artifact pull`: files under their names, the digest alone on standard output. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placeImage } from "../support/fake-images.ts";
import { verbWorld } from "./verb-world.ts";

const TITLE = "org.opencontainers.image.title";

async function setUp(title: string) {
  const { fake, run, directory } = await verbWorld();
  const bytes = Buffer.from("hello\n");
  const layer = { mediaType: "text/plain", digest: fake.addBlob(bytes, "org/notes"), size: bytes.length };
  const layers = [{ ...layer, annotations: { [TITLE]: title } }];
  const artifactType = "application/vnd.example.notes";
  const { digest } = placeImage(fake, "org/notes", "1", {
    configType: "application/vnd.oci.empty.v1+json",
    manifest: { layers, artifactType },
  });
  return { fake, run, directory, digest, artifactType, name: `${fake.host}/org/notes:1` };
}

test("it brings the files, and prints the digest to pin", async () => {
  const { run, directory, digest, name } = await setUp("docs/hello.txt");
  const ended = await run(["artifact", "pull", name, "notes"]);
  expect(ended).toMatchObject({ code: 0, out: `${digest}\n`, err: expect.stringContaining("1 file of") });
  expect(await readFile(join(directory, "notes", "docs", "hello.txt"), "utf8")).toBe("hello\n");
});

test("the JSON lists digest, type and files", async () => {
  const { fake, run, digest, artifactType, name } = await setUp("hello.txt");
  const { out } = await run(["artifact", "pull", name, "notes", "--json", "--type", artifactType]);
  expect(JSON.parse(out)).toMatchObject({
    reference: `${fake.host}/org/notes@${digest}`,
    digest,
    artifactType,
    isModelPack: false,
    size: 6,
    fetched: 6,
    files: [{ path: "hello.txt", size: 6 }],
  });
});

test.each([
  ["another type", "hello.txt", ["--type", "application/other"], 1],
  ["more than --max-size", "hello.txt", ["--max-size", "5"], 1],
  ["a --max-size that is no size", "hello.txt", ["--max-size", "much"], 2],
  ["a path that leads out", "../hello.txt", [], 1],
])("%s writes nothing", async (_, title, more, code) => {
  const { run, directory, name } = await setUp(title);
  const ended = await run(["artifact", "pull", name, "notes", ...more]);
  expect(ended).toMatchObject({ code, out: "" });
  expect(ended.err.trim().split("\n")).toHaveLength(1);
  expect(await readdir(directory)).toEqual([]);
});
