/** Shows what the library adds to the client's functions: texts are parsed first, and a Source is closed by whoever opened it. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fetchBlob } from "../src/library/blobs.ts";
import { imageDigest, imageSize } from "../src/library/images.ts";
import { modelWeights } from "../src/library/models.ts";
import { openImage } from "../src/library/open-image.ts";
import { parseImageParts } from "../src/ollama/model-name.ts";
import { addModel, modelOf } from "./support/models.ts";
import { PROMPT_MS } from "./support/patience.ts";
import { sourceOf } from "./support/source-of.ts";
import { startFake } from "./support/start-upstream.ts";
import { tempDirectory } from "./support/temp-directory.ts";
import { until } from "./support/wire.ts";

const HEX = "0123456789abcdef".repeat(4);

describe("parseImageParts", () => {
  test.each([
    ["gemma", "latest", "library", "gemma"],
    ["gemma:2b", "2b", "library", "gemma"],
    ["foobar/gemma:2b", "2b", "foobar", "gemma"],
    ["host:5000/ns/model:tag", "tag", "ns", "model"],
    ["hf.co/user/repo:Q4_K_M", "Q4_K_M", "user", "repo"],
    ["registry.ollama.ai/library/gemma:2b", "2b", "library", "gemma"],
    ["ollama://gemma", "latest", "library", "gemma"],
    [`gemma@sha256:${HEX}`, `sha256:${HEX}`, "library", "gemma"],
  ])("%s", (name, tag, repository, image) => {
    expect(parseImageParts(name)).toEqual({ tag, repository, image });
  });

  test.each(["", ":2b", "gemma:", "a:b:c", "/", "a//b", "gemma@sha256:abcd"])("refuses %j", (name) => {
    expect(() => parseImageParts(name)).toThrow(expect.objectContaining({ code: "reference-invalid" }));
  });
});

async function setUp() {
  const fake = await startFake({ mode: "plain" });
  const image = fake.addImage("org/app", "1", { layers: [1000, 500] });
  return { fake, image, name: `${fake.host}/org/app:1`, directory: await tempDirectory() };
}

describe("a Source of its own", () => {
  test("is closed when the call is over", async () => {
    const { fake, name, image } = await setUp();
    expect(await imageDigest(name)).toEqual({ digest: image.manifestDigest, kind: "image" });
    await until(() => fake.connections === 0);
  });

  test("is closed when the call fails", async () => {
    const { fake, directory } = await setUp();
    const digest = `sha256:${HEX}`;
    const fetching = fetchBlob(`${fake.host}/org/app`, digest, join(directory, "x"));
    await expect(fetching).rejects.toMatchObject({ code: "not-found" });
    await until(() => fake.connections === 0);
  });

  test("finds a blob of a model whose name only a model may have", async () => {
    const { fake, directory } = await setUp();
    const digest = fake.addGeneratedBlob({ seed: 4, size: 100 }, "bartowski/Llama-3.2_Q");
    const path = join(directory, "weights");
    const repository = `${fake.host}/bartowski/Llama-3.2_Q`;
    await expect(fetchBlob(repository, digest, path)).resolves.toMatchObject({ digest, size: 100 });
    await expect(fetchBlob(`${fake.host}/A/B/C`, digest, path)).rejects.toMatchObject({
      code: "reference-invalid",
    });
  });

  test("is closed at once when the call is aborted, though nothing answers", async () => {
    const { fake, name } = await setUp();
    fake.fail(/manifests/, { kind: "hang" }, { times: 9 });
    const controller = new AbortController();
    const asking = imageDigest(name, { signal: controller.signal });
    await until(() => fake.requests.length > 0);
    const before = performance.now();
    controller.abort();
    await expect(asking).rejects.toMatchObject({ code: "aborted" });
    expect(performance.now() - before).toBeLessThan(PROMPT_MS);
    await until(() => fake.connections === 0);
  });

  test("stays open as long as the image that was read from it", async () => {
    const { fake, name } = await setUp();
    const image = await openImage(name);
    expect(await imageSize(image)).toBe(1500);
    expect(fake.connections).toBeGreaterThan(0);
    await image.close();
    await until(() => fake.connections === 0);
    await expect(image.source.manifest(image.reference)).rejects.toMatchObject({ code: "closed" });
  });
});

describe("a Source of the caller's", () => {
  test("is used and stays open, also when the call fails", async () => {
    const { fake, image } = await setUp();
    const source = sourceOf(fake);
    expect(await imageSize("any.test/org/app:1", { source })).toBe(1500);
    const opened = await openImage("any.test/org/app:1", { source });
    await opened.close();
    await expect(imageDigest("any.test/org/app:2", { source })).rejects.toMatchObject({
      code: "not-found",
    });
    expect((await source.manifest(opened.reference)).digest).toBe(image.manifestDigest);
  });
});

test.each([
  ["reference-invalid", () => openImage("!!!invalid-ref!!!")],
  ["reference-invalid", () => openImage("alpine", { platform: "linux" })],
  ["reference-invalid", () => modelWeights("a:b:c")],
  ["digest-invalid", () => fetchBlob("a/b", "sha256:12", "x")],
  ["config-invalid", () => imageDigest("alpine", { via: "granary:5000" })],
  ["config-invalid", () => imageDigest("alpine", { config: "/there/is/none.yaml" })],
])("%s is thrown before anything is asked", async (code, call) => {
  await expect(call()).rejects.toMatchObject({ code });
});

test("modelWeights is the first of the weights, and says that there are more", async () => {
  const fake = await startFake({ mode: "ollama" });
  const { layers } = addModel(fake, "me/split", "1", {
    layers: [modelOf(1, 10), ["license", "MIT"], modelOf(2, 20)],
  });
  const blob = await modelWeights(`${fake.host}/me/split:1`);
  expect([blob.digest, blob.size]).toEqual([layers[0], 10]);
  expect(blob.others.map(({ digest, size }) => [digest, size])).toEqual([[layers[2], 20]]);
});
