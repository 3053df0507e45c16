/** A model on disk as a file or as a folder. */
import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Progress } from "../../../src/client/fetching/progress.ts";
import { fetchModelFrom, fetchWeightsFrom } from "../../../src/client/models/fetch-model.ts";
import { parseModelName } from "../../../src/ollama/model-name.ts";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { addModel, type ModelParts, modelOf } from "../../support/models.ts";
import { sourceOf } from "../../support/source-of.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

const NAME = parseModelName("team/llama:3b");

async function serving(parts: ModelParts) {
  const fake = await startFake({ mode: "ollama" });
  const model = addModel(fake, NAME.repository, "3b", parts);
  return { fake, source: sourceOf(fake), model, directory: await tempDirectory() };
}

function blobRequests(fake: FakeRegistry): number {
  return fake.count({ kind: "blob", origin: "registry" });
}

describe("the weights of a model as a file", () => {
  test("are exactly the layer's bytes, with progress to its size", async () => {
    const weights = modelOf(1, 9 * 2 ** 20);
    const { source, directory } = await serving({ layers: [weights, ["license", "MIT"]] });
    const seen: Progress[] = [];
    const path = join(directory, "llama.gguf");
    const fetched = await fetchWeightsFrom(source, NAME, path, {
      onProgress: (progress) => seen.push(progress),
    });
    expect((await readFile(path)).equals(weights[1] as Buffer)).toBe(true);
    expect(fetched.parts).toMatchObject([{ role: "model", path, size: 9 * 2 ** 20, fetched: 9 * 2 ** 20 }]);
    expect(fetched.otherWeights).toEqual([]);
    expect(seen.at(-1)).toEqual({ phase: "fetch", done: 9 * 2 ** 20, total: 9 * 2 ** 20 });
    expect(await readdir(directory)).toEqual(["llama.gguf"]);
  });

  test("of an unknown model leave no file behind", async () => {
    const { source, directory } = await serving({ layers: [modelOf(1, 1000)] });
    const wanted = fetchWeightsFrom(source, parseModelName("team/llama:70b"), join(directory, "x.gguf"));
    await expect(wanted).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("team/llama:70b"),
    });
    expect(await readdir(directory)).toEqual([]);
  });

  test("of a model without weights leave no file behind", async () => {
    const { source, directory } = await serving({ layers: [["license", "MIT"]] });
    const wanted = fetchWeightsFrom(source, NAME, join(directory, "x.gguf"));
    await expect(wanted).rejects.toMatchObject({ code: "manifest-invalid" });
    expect(await readdir(directory)).toEqual([]);
  });

  test("are the first of several, and the result names the others", async () => {
    const parts = [modelOf(1, 3000), modelOf(2, 4000), modelOf(3, 5000)];
    const { source, model, directory } = await serving({ layers: parts });
    const path = join(directory, "x.gguf");
    const fetched = await fetchWeightsFrom(source, NAME, path);
    expect((await readFile(path)).equals(parts[0]?.[1] as Buffer)).toBe(true);
    expect(fetched.otherWeights.map(({ digest }) => digest)).toEqual(model.layers.slice(1));
  });
});

describe("a model as a folder", () => {
  test("has each part under its role's name, and the manifest's own bytes", async () => {
    const { source, model, directory } = await serving({
      layers: [
        modelOf(1, 5 * 2 ** 20),
        ["projector", "projector bytes"],
        ["template", "{{ .Prompt }}"],
        ["system", "Be short."],
        ["params", '{"stop":["x"]}'],
        ["messages", "[]"],
        ["license", "MIT"],
        ["license", "and another"],
        ["something-new", "kept"],
      ],
    });
    const folder = join(directory, "model");
    const fetched = await fetchModelFrom(source, NAME, { directory: folder });
    const names = [
      "config.json",
      "license",
      "license-2",
      "manifest.json",
      "messages.json",
      "model.gguf",
      "params.json",
      "projector.gguf",
      "something-new",
      "system",
      "template",
    ];
    expect((await readdir(folder)).sort()).toEqual(names);
    expect(await readFile(join(folder, "license-2"), "utf8")).toBe("and another");
    expect((await readFile(join(folder, "manifest.json"))).equals(model.bytes)).toBe(true);
    expect(fetched.parts.at(-1)).toMatchObject({ role: "config", path: join(folder, "config.json") });
    expect(fetched.fetched).toBe(fetched.model.size);
  });

  test("names the parts of split weights so that llama.cpp loads them by the first", async () => {
    const parts = [modelOf(2, 300), modelOf(1, 400)];
    const { source, directory } = await serving({ layers: parts });
    await fetchModelFrom(source, NAME, { directory });
    expect((await readdir(directory)).filter((name) => name.endsWith(".gguf")).sort()).toEqual([
      "model-00001-of-00002.gguf",
      "model-00002-of-00002.gguf",
    ]);
    const first = await readFile(join(directory, "model-00001-of-00002.gguf"));
    expect(first.equals(parts[0]?.[1] as Buffer)).toBe(true);
  });

  test("keeps the names of tensors where they are safe, and stays inside the folder where not", async () => {
    const { source, directory } = await serving({
      layers: [
        ["tensor", "one", "text_encoder/embed.weight"],
        ["tensor", "two", "../../escaped"],
        ["tensor", "three", "/etc/escaped"],
        ["json", "{}", "config.json"],
      ],
    });
    const folder = join(directory, "model");
    await fetchModelFrom(source, NAME, { directory: folder });
    expect(await readdir(directory)).toEqual(["model"]);
    expect((await readdir(folder)).sort()).toEqual([
      "config-2.json",
      "config.json",
      "manifest.json",
      "tensor-2.safetensors",
      "tensor.safetensors",
      "text_encoder",
    ]);
    expect(await readFile(join(folder, "text_encoder/embed.weight"), "utf8")).toBe("one");
  });

  test("never goes through a symbolic link below the folder", async () => {
    const { source, directory } = await serving({ layers: [["tensor", "one", "text_encoder/embed.weight"]] });
    const [folder, elsewhere] = [join(directory, "model"), join(directory, "elsewhere")];
    await Promise.all([mkdir(folder), mkdir(elsewhere)]);
    await symlink(elsewhere, join(folder, "text_encoder"));
    const fetched = fetchModelFrom(source, NAME, { directory: folder });
    await expect(fetched).rejects.toMatchObject({ code: "path-invalid" });
    expect(await readdir(elsewhere)).toEqual([]);
  });

  test("is not fetched again, and equal parts are fetched once", async () => {
    const { fake, source, directory } = await serving({
      layers: [modelOf(1, 5 * 2 ** 20), ["license", "MIT"], ["license", "MIT"]],
    });
    const first = await fetchModelFrom(source, NAME, { directory });
    expect(await readFile(join(directory, "license-2"), "utf8")).toBe("MIT");
    expect(first.parts.map(({ role, fetched }) => [role, fetched])).toEqual([
      ["model", 5 * 2 ** 20],
      ["license", 3],
      ["license", 0],
      ["config", first.model.config.size],
    ]);
    fake.forgetRequests();
    const again = await fetchModelFrom(source, NAME, { directory });
    expect(again.fetched).toBe(0);
    expect(blobRequests(fake)).toBe(0);
  });

  test("has one progress over all parts that only grows, to the total", async () => {
    const { source, directory } = await serving({
      layers: [modelOf(1, 6 * 2 ** 20), modelOf(2, 5 * 2 ** 20), ["license", "MIT"], ["template", "x"]],
    });
    const seen: Progress[] = [];
    const fetched = await fetchModelFrom(source, NAME, { directory }, { onProgress: (at) => seen.push(at) });
    const total = fetched.model.size;
    expect(seen.every((at, index) => at.total === total && at.done > (seen[index - 1]?.done ?? -1))).toBe(
      true,
    );
    expect(seen.at(-1)?.done).toBe(total);
  });

  test("has its small parts first, beside each other, and its big ones one after another", async () => {
    const bigs = [modelOf(1, 6 * 2 ** 20), modelOf(2, 6 * 2 ** 20)];
    const smalls = ["template", "system", "license"].map((role) => [role, role] as const);
    const { fake, source, model, directory } = await serving({ layers: [...bigs, ...smalls] });
    fake.settings.latencyMs.cdn = 200;
    await fetchModelFrom(source, NAME, { directory });
    const asked = (digest = "") => fake.matching({ origin: "cdn", reference: digest });
    const starts = model.layers.map((digest) => asked(digest).map(({ startedAt }) => startedAt));
    const [first = [], second = [], ...rest] = starts;
    // A CDN that waits 200 ms has not answered the first small one before all are asked for.
    const [early, late] = [Math.min(...rest.flat()), Math.max(...rest.flat())];
    expect(late - early).toBeLessThan(200);
    expect(Math.min(...first)).toBeGreaterThanOrEqual(early + 200);
    expect(Math.min(...second)).toBeGreaterThanOrEqual(Math.max(...first) + 200);
  });

  test("is given up as a whole when one part fails: nothing of it goes on, and no manifest is written", async () => {
    const { fake, source, model, directory } = await serving({
      layers: [modelOf(1, 6 * 2 ** 20), ["license", "MIT"]],
    });
    fake.contents.blobs.delete(model.layers[1] ?? "");
    const fetched = fetchModelFrom(source, NAME, { directory });
    await expect(fetched).rejects.toMatchObject({ code: "not-found" });
    expect(await readdir(directory)).not.toContain("manifest.json");
    expect(fake.bytesSentFor(model.layers[0] ?? "")).toBe(0);
  });

  test("ends with `aborted` when it is asked to, and goes on later from where it was", async () => {
    const { fake, source, model, directory } = await serving({ layers: [modelOf(1, 24 * 2 ** 20)] });
    fake.settings.bandwidth.cdn = 8 * 2 ** 20;
    const stop = new AbortController();
    const onProgress = ({ done }: Progress) => done > 4 * 2 ** 20 && stop.abort();
    const fetched = fetchModelFrom(source, NAME, { directory }, { signal: stop.signal, onProgress });
    await expect(fetched).rejects.toMatchObject({ code: "aborted" });
    fake.settings.bandwidth.cdn = undefined;
    fake.forgetRequests();
    const again = await fetchModelFrom(source, NAME, { directory });
    expect(again.parts[0]?.fetched).toBeLessThanOrEqual(20 * 2 ** 20);
    expect(fake.bytesSentFor(model.layers[0] ?? "")).toBeLessThan(24 * 2 ** 20);
    expect((await stat(join(directory, "model.gguf"))).size).toBe(24 * 2 ** 20);
  });

  test("says what is in the way when the folder is a file", async () => {
    const { source, directory } = await serving({ layers: [modelOf(1, 10)] });
    await writeFile(join(directory, "file"), "");
    const fetched = fetchModelFrom(source, NAME, { directory: join(directory, "file") });
    await expect(fetched).rejects.toMatchObject({ code: "path-invalid" });
  });
});
