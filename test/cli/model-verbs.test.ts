/** Shows the model verbs: the golden manifest byte for byte, and a model in each of its three places. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DOCKER_MANIFEST } from "../../src/oci/media-types.ts";
import { GEMMA_2B_BYTES, GEMMA_2B_DIGEST } from "../fixtures/gemma-2b-manifest.ts";
import { addModel, modelOf } from "../support/models.ts";
import { firstDifference } from "../support/pattern.ts";
import { until } from "../support/wire.ts";
import { verbWorld } from "./verb-world.ts";

const MIB = 2 ** 20;

describe("gemma:2b, through a registry in place of Ollama's", () => {
  async function golden() {
    const { fake, run } = await verbWorld({ mode: "ollama" });
    fake.addManifest("library/gemma", "2b", GEMMA_2B_BYTES, DOCKER_MANIFEST);
    return (verb: string, ...more: string[]) => run(["model", verb, "gemma:2b", "--via", fake.url, ...more]);
  }

  test("model manifest prints it byte for byte", async () => {
    const model = await golden();
    expect(await model("manifest")).toEqual({ code: 0, out: GEMMA_2B_BYTES.toString(), err: "" });
  });

  test("model manifest --json has digest, total size and roles", async () => {
    const model = await golden();
    const { out } = await model("manifest", "--json");
    const value = JSON.parse(out) as { layers: { role: string }[] };
    expect(value).toMatchObject({
      reference: "registry.ollama.ai/library/gemma:2b",
      digest: GEMMA_2B_DIGEST,
      size: 1_678_456_656,
      schemaVersion: 2,
    });
    expect(value.layers.map(({ role }) => role)).toEqual(["model", "license", "template", "params"]);
  });

  test("model digest prints the digest alone", async () => {
    const model = await golden();
    expect(await model("digest")).toEqual({ code: 0, out: `${GEMMA_2B_DIGEST}\n`, err: "" });
  });
});

async function setUp(size = 5 * MIB) {
  const { fake, run, start, directory } = await verbWorld({ mode: "ollama" });
  const layers = [modelOf(3, size), ["template", "{{ .Prompt }}"], ["license", "MIT"]] as const;
  const added = addModel(fake, "me/tiny", "q4", { layers });
  return { fake, run, start, directory, added, name: `${fake.host}/me/tiny:q4`, size };
}

describe("model inspect", () => {
  test("prints config and small texts, without the weights", async () => {
    const { fake, run, name, added } = await setUp();
    const { out } = await run(["model", "inspect", name, "--json"]);
    expect(JSON.parse(out)).toMatchObject({ digest: added.digest, texts: { template: "{{ .Prompt }}" } });
    expect(fake.bytesSentFor(added.layers[0] ?? "")).toBe(0);
  });
});

test("a value that nobody reads ends it without a word", async () => {
  const { start, name } = await setUp();
  const { child, ended } = start(["model", "inspect", name]);
  child.stdout?.destroy();
  expect((await ended).err).toBe("");
});

describe("model fetch", () => {
  test("NAME FILE brings the weights and nothing else", async () => {
    const { run, directory, name, size, added } = await setUp();
    const file = join(directory, "tiny.gguf");
    const { code, out } = await run(["model", "fetch", name, file, "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ digest: added.digest, size, fetched: size, otherWeights: [] });
    expect(firstDifference(3, 0, await readFile(file))).toBeUndefined();
    expect(await readdir(directory)).toEqual(["tiny.gguf"]);
  });

  test("NAME DIRECTORY --all brings every part under its role", async () => {
    const { run, directory, name } = await setUp();
    const ended = await run(["model", "fetch", name, join(directory, "tiny"), "--all"]);
    expect(ended).toMatchObject({ code: 0, out: "" });
    const found = await readdir(join(directory, "tiny"));
    for (const role of ["template", "license", "config"]) {
      expect(
        found.some((file) => file.startsWith(role)),
        role,
      ).toBe(true);
    }
  });

  test("NAME --ollama-store DIRECTORY lays it out as Ollama does", async () => {
    const { fake, run, directory, name, added } = await setUp();
    const store = join(directory, "store");
    expect(await run(["model", "fetch", name, "--ollama-store", store, "-q"])).toEqual({
      code: 0,
      out: "",
      err: "",
    });
    const manifest = join(store, "manifests", fake.host, "me", "tiny", "q4");
    expect(await readFile(manifest, "utf8")).toBe(added.bytes.toString());
    const blobs = [...added.layers, added.config].map((digest) => digest.replace(":", "-"));
    expect((await readdir(join(store, "blobs"))).toSorted()).toEqual(blobs.toSorted());
  });

  test("of a split model says how many parts are left out", async () => {
    const { fake, run, directory } = await verbWorld({ mode: "ollama" });
    addModel(fake, "me/split", "1", { layers: [modelOf(1, 1000), modelOf(2, 1000), modelOf(3, 1000)] });
    const ended = await run([
      "model",
      "fetch",
      `${fake.host}/me/split:1`,
      join(directory, "first"),
      "--quiet",
    ]);
    expect(ended).toMatchObject({ code: 0, out: "" });
    expect(ended.err).toContain("2 further parts are left out; --all");
  });

  test("of a model that is not there is 3, and leaves no file", async () => {
    const { fake, run, directory } = await setUp();
    const ended = await run(["model", "fetch", `${fake.host}/me/none:1`, join(directory, "none.gguf")]);
    expect(ended).toMatchObject({ code: 3, out: "", err: expect.stringContaining("me/none:1") });
    await expect(stat(join(directory, "none.gguf"))).rejects.toThrow("ENOENT");
  });

  test.each([
    ["no place", [], "Say where it goes"],
    ["--all without a place", ["--all"], "Say where it goes"],
    ["a file and a store", ["file", "--ollama-store", "store"], 'leave out "file"'],
    ["a store and --all", ["--ollama-store", "store", "--all"], "leave out --all"],
  ])("with %s is 2, with a sentence", async (_, args, part) => {
    const { run, directory } = await verbWorld();
    const ended = await run(["model", "fetch", "gemma:2b", ...args]);
    expect(ended).toMatchObject({ code: 2, out: "", err: expect.stringContaining(part) });
    expect(ended.err.trim().split("\n")).toHaveLength(1);
    expect(await readdir(directory)).toEqual([]);
  });

  test("--all goes on after Ctrl-C from what it has", async () => {
    const { fake, run, start, directory, added, name, size } = await setUp(24 * MIB);
    const weights = added.layers[0] ?? "";
    const args = ["model", "fetch", name, join(directory, "tiny"), "--all"];
    fake.settings.bandwidth.cdn = 4 * MIB;
    const { child, ended } = start(args);
    await until(() => fake.bytesSentFor(weights) > 8 * MIB);
    child.kill("SIGINT");
    const stopped = await ended;
    expect(stopped.code).toBe(130);
    expect(stopped.err).toContain(`granary: Stopped fetching ${name}: `);
    expect(stopped.err).toContain(` are kept in ${join(directory, "tiny")}.\n`);
    expect(stopped.err).toContain(`\nTo go on from there: granary ${args.join(" ")}\n`);
    fake.settings.bandwidth.cdn = undefined;
    fake.forgetRequests();
    expect(await run([...args, "--quiet"])).toMatchObject({ code: 0, err: "" });
    expect(fake.bytesSentFor(weights)).toBeLessThan(size - 4 * MIB);
  });
});
