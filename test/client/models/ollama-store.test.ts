/** Ollama's own store as a fetch leaves it, also while an Ollama works on it. */
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Progress } from "../../../src/client/fetching/progress.ts";
import { fetchModelFrom } from "../../../src/client/models/fetch-model.ts";
import type { Reference } from "../../../src/oci/reference.ts";
import { parseModelName } from "../../../src/ollama/model-name.ts";
import type { Source } from "../../../src/source.ts";
import { addModel, type LayerParts, modelOf } from "../../support/models.ts";
import { sourceOf } from "../../support/source-of.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

const NAME = parseModelName("llama3.2:3b");
const LICENSE: LayerParts = ["license", "MIT"];
const SMALL = [modelOf(1, 5000), LICENSE, ["template", "{{ .Prompt }}"]] satisfies LayerParts[];

async function serving(layers: readonly LayerParts[] = SMALL) {
  const fake = await startFake({ mode: "ollama" });
  const model = addModel(fake, NAME.repository, "3b", { layers });
  const store = join(await tempDirectory(), "models");
  return { fake, source: sourceOf(fake), model, store };
}

function blobName(digest: string): string {
  return digest.replace(":", "-");
}

function manifestPath(store: string, { registry, repository, tag }: Reference): string {
  return join(store, "manifests", registry, repository, tag ?? "");
}

/** `source`, with `step` run once when the manifest has been asked for. */
function interrupted(source: Source, step: () => Promise<void>): Source {
  let isDue = true;
  return {
    isLocal: false,
    manifest: (reference) => source.manifest(reference),
    headManifest: (reference) => source.headManifest(reference),
    blobSize: (repository, digest) => source.blobSize(repository, digest),
    close: () => source.close(),
    origin: (repository, digest) => {
      const origin = source.origin(repository, digest);
      return {
        name: origin.name,
        strike: () => origin.strike(),
        async open(range, signal) {
          if (isDue) await step();
          isDue = false;
          return await origin.open(range, signal);
        },
      };
    },
  };
}

describe("a model in Ollama's store", () => {
  test("has the layout, the bytes and the modes that Ollama writes", async () => {
    const { source, model, store } = await serving();
    const fetched = await fetchModelFrom(source, NAME, { ollamaStore: store });
    expect((await readdir(join(store, "blobs"))).sort()).toEqual(
      [...model.layers, model.config].map(blobName).sort(),
    );
    expect((await readFile(manifestPath(store, NAME))).equals(model.bytes)).toBe(true);
    for (const { path, size } of fetched.parts) {
      const found = await stat(path);
      expect([found.size, (found.mode & 0o777).toString(8)]).toEqual([size, "644"]);
    }
    expect((await stat(manifestPath(store, NAME))).mode & 0o777).toBe(0o644);
    expect((await stat(join(store, "blobs"))).mode & 0o777).toBe(0o755);
  });

  test("leaves no file that Ollama would take for another model, or for nothing it knows", async () => {
    const { source, store } = await serving();
    await fetchModelFrom(source, NAME, { ollamaStore: store });
    const files = await readdir(join(store, "manifests"), { recursive: true });
    expect(files.filter((path) => path.split("/").length === 4)).toEqual([
      "registry.ollama.ai/library/llama3.2/3b",
    ]);
    expect(await readdir(join(store, "manifests"))).toEqual(["registry.ollama.ai"]);
  });

  test("takes blobs of other models that are there, once they are found right", async () => {
    const { fake, source, model, store } = await serving();
    await fetchModelFrom(source, NAME, { ollamaStore: store });
    const other = parseModelName("someone/tuned:q4");
    addModel(fake, other.repository, "q4", { layers: [...SMALL, ["system", "Be kind."]] });
    fake.forgetRequests();
    const fetched = await fetchModelFrom(source, other, { ollamaStore: store });
    expect(fetched.fetched).toBe("Be kind.".length + fetched.model.config.size);
    expect(fake.count({ kind: "blob", reference: model.layers[0] ?? "" })).toBe(0);
  });

  test("replaces a blob of the right size with wrong bytes", async () => {
    const { source, model, store } = await serving();
    const path = join(store, "blobs", blobName(model.layers[0] ?? ""));
    await mkdir(join(store, "blobs"), { recursive: true });
    await writeFile(path, Buffer.alloc(5000));
    await fetchModelFrom(source, NAME, { ollamaStore: store });
    expect((await readFile(path)).equals(SMALL[0]?.[1] as Buffer)).toBe(true);
  });

  test("makes blobs that are there young again, so that a starting Ollama does not prune them", async () => {
    const { source, model, store } = await serving();
    const path = join(store, "blobs", blobName(model.layers[0] ?? ""));
    await mkdir(join(store, "blobs"), { recursive: true });
    await writeFile(path, SMALL[0]?.[1] as Buffer);
    await utimes(path, new Date(0), new Date(0));
    await fetchModelFrom(source, NAME, { ollamaStore: store });
    expect((await stat(path)).mtimeMs).toBeGreaterThan(Date.now() - 600_000);
  });

  test("has its manifest only when all blobs are there: a pull that fails leaves no model", async () => {
    const { fake, source, model, store } = await serving();
    fake.contents.blobs.delete(model.layers[2] ?? "");
    const fetched = fetchModelFrom(source, NAME, { ollamaStore: store });
    await expect(fetched).rejects.toMatchObject({ code: "not-found" });
    expect(await readdir(store)).toEqual(["blobs"]);
    expect((await readdir(join(store, "blobs"))).filter((name) => name.startsWith("sha256-"))).toEqual([]);
  });

  test("fetches again what `ollama rm` of another model takes away meanwhile", async () => {
    const { source, model, store } = await serving();
    await fetchModelFrom(source, NAME, { ollamaStore: store });
    const kept = join(store, "blobs", blobName(model.layers[0] ?? ""));
    const wanted = join(store, "blobs", blobName(model.layers[1] ?? ""));
    await rm(wanted);
    const seen: Progress[] = [];
    const disturbed = interrupted(source, () => rm(kept));
    const options = { onProgress: (at: Progress) => seen.push(at) };
    const fetched = await fetchModelFrom(disturbed, NAME, { ollamaStore: store }, options);
    expect((await readFile(kept)).equals(SMALL[0]?.[1] as Buffer)).toBe(true);
    expect(fetched.fetched).toBe(5000 + 3);
    expect(seen.every(({ done }, index) => done > (seen[index - 1]?.done ?? -1))).toBe(true);
    expect(seen.at(-1)?.done).toBe(fetched.model.size);
  });

  test("keeps the spelling under which the name is there already", async () => {
    const { fake, source, store } = await serving();
    await fetchModelFrom(source, NAME, { ollamaStore: store });
    const shouted = parseModelName("LLAMA3.2:3B");
    addModel(fake, shouted.repository, "3B", { layers: [LICENSE] });
    await fetchModelFrom(source, shouted, { ollamaStore: store });
    expect(await readdir(join(store, "manifests/registry.ollama.ai/library"))).toEqual(["llama3.2"]);
    expect(await readdir(join(store, "manifests/registry.ollama.ai/library/llama3.2"))).toEqual(["3b"]);
  });

  test("goes on from what an interrupted pull has left, where Ollama does not prune it", async () => {
    const { fake, source, model, store } = await serving([modelOf(1, 24 * 2 ** 20)]);
    fake.settings.bandwidth.cdn = 8 * 2 ** 20;
    const stop = new AbortController();
    const onProgress = ({ done }: Progress) => done > 4 * 2 ** 20 && stop.abort();
    const target = { ollamaStore: store };
    const fetched = fetchModelFrom(source, NAME, target, { signal: stop.signal, onProgress });
    await expect(fetched).rejects.toMatchObject({ code: "aborted" });
    const blobs = await readdir(join(store, "blobs"), { withFileTypes: true });
    expect(blobs.filter((entry) => entry.isFile() && entry.name.includes("partial"))).toEqual([]);
    fake.settings.bandwidth.cdn = undefined;
    const again = await fetchModelFrom(source, NAME, target);
    expect(again.parts[0]?.fetched).toBeLessThanOrEqual(20 * 2 ** 20);
    expect((await readdir(join(store, "blobs"))).sort()).toEqual(
      [...model.layers, model.config].map(blobName).sort(),
    );
  });

  test("needs a name that Ollama can list, before anything is asked or written", async () => {
    const { fake, source, store } = await serving();
    const digest = parseModelName(`llama3.2@sha256:${"a".repeat(64)}`);
    for (const reference of [digest, { ...NAME, repository: "../../etc" }, { ...NAME, tag: ".." }]) {
      const fetched = fetchModelFrom(source, reference, { ollamaStore: store });
      await expect(fetched).rejects.toMatchObject({ code: "reference-invalid" });
    }
    expect(fake.requests).toEqual([]);
    await expect(stat(store)).rejects.toMatchObject({ code: "ENOENT" });
  });
});
