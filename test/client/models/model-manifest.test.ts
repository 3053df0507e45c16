/** What a model consists of, with the golden manifest of gemma:2b. */
import { describe, expect, test } from "vitest";
import { modelManifestFrom, weightsOf } from "../../../src/client/models/model-manifest.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { DOCKER_MANIFEST, OCI_INDEX } from "../../../src/oci/media-types.ts";
import { parseModelName } from "../../../src/ollama/model-name.ts";
import { GEMMA_2B_BYTES, GEMMA_2B_DIGEST } from "../../fixtures/gemma-2b-manifest.ts";
import { sourceOf } from "../../support/source-of.ts";
import { startFake } from "../../support/start-upstream.ts";

const GEMMA = parseModelName("gemma:2b");
const MODEL = "application/vnd.ollama.image.model";
const hex = (digit: string) => `sha256:${digit.repeat(64)}`;

async function gemma() {
  const fake = await startFake({ mode: "ollama" });
  fake.addManifest("library/gemma", "2b", GEMMA_2B_BYTES, DOCKER_MANIFEST);
  return { fake, source: sourceOf(fake) };
}

/** A Source whose gemma:2b is `document`. */
async function serving(document: unknown, mediaType = DOCKER_MANIFEST) {
  const fake = await startFake({ mode: "ollama" });
  const bytes = Buffer.from(typeof document === "string" ? document : JSON.stringify(document));
  fake.addManifest("library/gemma", "2b", bytes, mediaType);
  return sourceOf(fake);
}

function manifestOf(layers: { mediaType: string; digest: string; size: unknown }[], more: object = {}) {
  const config = { mediaType: "application/vnd.docker.container.image.v1+json", digest: hex("c"), size: 2 };
  return { schemaVersion: 2, mediaType: DOCKER_MANIFEST, config, layers, ...more };
}

describe("the manifest of a model", () => {
  test("lists config and layers of gemma:2b in order", async () => {
    const { source } = await gemma();
    const model = await modelManifestFrom(source, GEMMA);
    expect(model.schemaVersion).toBe(2);
    expect(model.mediaType).toBe(DOCKER_MANIFEST);
    expect(model.config).toMatchObject({
      digest: "sha256:887433b89a901c156f7e6944442f3c9e57f3c55d6ed52042cbb7303aea994290",
      size: 483,
    });
    expect(model.layers.map(({ role, size }) => [role, size])).toEqual([
      ["model", 1_678_447_520],
      ["license", 8433],
      ["template", 136],
      ["params", 84],
    ]);
  });

  test("is asked for as Ollama's registry expects it, under our own name", async () => {
    const { fake, source } = await gemma();
    await modelManifestFrom(source, GEMMA);
    expect(fake.requests).toHaveLength(1);
    const [request] = fake.requests;
    expect(`${request?.method} ${request?.path}`).toBe("GET /v2/library/gemma/manifests/2b");
    expect(request?.headers.accept?.split(", ")).toContain(DOCKER_MANIFEST);
    expect(request?.headers["user-agent"]).toMatch(/^granary\//);
  });

  test("keeps the golden bytes, with the digest that Ollama lists", async () => {
    expect(digestOf(GEMMA_2B_BYTES)).toBe(GEMMA_2B_DIGEST);
    expect(GEMMA_2B_BYTES).toHaveLength(856);
    const { source } = await gemma();
    const { manifest, size } = await modelManifestFrom(source, GEMMA);
    expect(Buffer.from(manifest.bytes).equals(GEMMA_2B_BYTES)).toBe(true);
    expect(manifest.digest).toBe(GEMMA_2B_DIGEST);
    expect(size).toBe(1_678_456_656);
  });

  test("that is not there is not-found, and the model is named", async () => {
    const { source } = await gemma();
    await expect(modelManifestFrom(source, parseModelName("gemma:70b"))).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("library/gemma:70b"),
    });
  });

  test.each([
    ["a page of HTML", "<html>Please log in</html>", "manifest-invalid"],
    ["a body above the limit", "x".repeat(17 * 2 ** 20), "upstream-protocol"],
    ["another schema version", manifestOf([], { schemaVersion: 3 }), "manifest-invalid"],
    ["no schema version", manifestOf([], { schemaVersion: undefined }), "manifest-invalid"],
    ["a layer without a digest", manifestOf([{ mediaType: MODEL, digest: "", size: 1 }]), "manifest-invalid"],
    ["a negative size", manifestOf([{ mediaType: MODEL, digest: hex("a"), size: -1 }]), "manifest-invalid"],
  ])("is refused when it is %s", async (_, document, code) => {
    const source = await serving(document);
    await expect(modelManifestFrom(source, GEMMA)).rejects.toMatchObject({ name: "GranaryError", code });
  });

  test("is refused when it is an index", async () => {
    const source = await serving({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }, OCI_INDEX);
    await expect(modelManifestFrom(source, GEMMA)).rejects.toThrow(/index of several manifests/);
  });

  test.each([2 ** 31 + 1, 2 ** 32 + 1, 404_000_000_123])("holds a size of %d exactly", async (size) => {
    const source = await serving(manifestOf([{ mediaType: MODEL, digest: hex("a"), size }]));
    const model = await modelManifestFrom(source, GEMMA);
    expect(model.layers[0]?.size).toBe(size);
    expect(model.size).toBe(size + 2);
  });
});

describe("the weights of a model", () => {
  test("are the one layer of gemma:2b", async () => {
    const { source } = await gemma();
    const weights = weightsOf(await modelManifestFrom(source, GEMMA));
    expect(weights).toMatchObject([
      {
        mediaType: MODEL,
        digest: "sha256:c1864a5eb19305c40519da12cc543519e48a0697ecd30e15d5ac228644957d12",
      },
    ]);
  });

  test("that are missing are a typed error, and the model is named", async () => {
    const layers = [{ mediaType: "application/vnd.ollama.image.tensor", digest: hex("a"), size: 1 }];
    const source = await serving(manifestOf(layers));
    await expect(modelManifestFrom(source, GEMMA).then(weightsOf)).rejects.toMatchObject({
      code: "manifest-invalid",
      message: expect.stringContaining("registry.ollama.ai/library/gemma:2b"),
    });
  });

  test("come all, in the manifest's order", async () => {
    const layers = ["b", "a", "d"].map((digit) => ({ mediaType: MODEL, digest: hex(digit), size: 1 }));
    const source = await serving(manifestOf(layers));
    const weights = weightsOf(await modelManifestFrom(source, GEMMA));
    expect(weights.map(({ digest }) => digest)).toEqual([hex("b"), hex("a"), hex("d")]);
  });
});
