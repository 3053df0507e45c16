/**
 * Shows that `granary model fetch --ollama-store` leaves what Ollama itself would have left, by its layout: straight from a
 * registry, through a Granary with its upstream gone, and after an interruption. (What a real `ollama serve` makes of it was
 * tried by hand; its program is not at hand here.)
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { holdsDigest } from "../../src/client/fetching/file-at-path.ts";
import { digestOf, parseDigest } from "../../src/oci/digest.ts";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { runGranary, startGranary as startVerb } from "../support/run-granary.ts";
import { startGranary } from "./support/granary-process.ts";
import { addModel, bigLayerOf, type FakeModel, startOllamaUpstream } from "./support/ollama-upstream.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";

const OLLAMA = "registry.ollama.ai";
const BIG = 256 * 2 ** 20;
const MANIFESTS = "manifests/registry.ollama.ai/library";

let cleanup: AsyncDisposableStack;
let fake: FakeRegistry;
let store: string;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  fake = await startOllamaUpstream(cleanup);
  store = join(await scratchDirectory(cleanup, "ollama"), "models");
});
afterEach(() => cleanup.disposeAsync());

function fetchArguments(name: string, via: string): string[] {
  return ["model", "fetch", name, "--ollama-store", store, "--via", via, "--quiet"];
}

async function fetched(name: string, via = fake.url): Promise<void> {
  const ended = await runGranary(fetchArguments(name, via));
  expect(ended, ended.err).toMatchObject({ code: 0 });
}

/** What Ollama finds four levels below `manifests` is a model, and nothing else may lie there. */
async function listedModels(): Promise<string[]> {
  const entries = await readdir(join(store, "manifests"), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map(({ parentPath, name }) => join(parentPath, name).slice(store.length + 1)).sort();
}

async function expectWhole(model: FakeModel): Promise<void> {
  const path = join(store, "manifests", OLLAMA, model.repository, model.tag);
  expect(digestOf(await readFile(path))).toBe(model.manifestDigest);
  expect((await stat(path)).mode & 0o777).toBe(0o644);
  for (const [digest, { size }] of model.blobs) {
    const blob = join(store, "blobs", digest.replace(":", "-"));
    expect(await holdsDigest(blob, parseDigest(digest), size), blob).toBe(true);
    expect((await stat(blob)).mode & 0o777).toBe(0o644);
  }
}

describe("A model in Ollama's store", () => {
  test("has the layout of Ollama's own, and shares blobs with what is there", async () => {
    const first = addModel(fake, "library/first", { seed: 1, size: BIG });
    const second = addModel(fake, "library/second", { seed: 1, size: BIG });
    await fetched("first");
    await fetched("second");
    await expectWhole(first);
    await expectWhole(second);
    expect(await listedModels()).toEqual([`${MANIFESTS}/first/latest`, `${MANIFESTS}/second/latest`]);
    const names = [...new Set([...first.blobs.keys(), ...second.blobs.keys()])];
    expect((await readdir(join(store, "blobs"))).sort()).toEqual(
      names.map((digest) => digest.replace(":", "-")).sort(),
    );
    expect(fake.bytesSentFor(bigLayerOf(first).digest)).toBe(BIG);
  });

  test("comes from a Granary whose upstream is gone, once it has been there", async () => {
    const model = addModel(fake, "library/first", { seed: 1, size: BIG });
    const granary = await startGranary(cleanup, {
      upstreams: { [OLLAMA]: { endpoints: [fake.url], internal: true, tagLifetime: "10m" } },
    });
    await fetched("first", granary.url(OLLAMA));
    await fake.pause();
    store = join(await scratchDirectory(cleanup, "ollama"), "models");
    await fetched("first", granary.url(OLLAMA));
    await expectWhole(model);
  });

  test("goes on after Ctrl-C from where it was, though Ollama would prune what is old", async () => {
    const model = addModel(fake, "library/first", { seed: 1, size: BIG });
    const { digest } = bigLayerOf(model);
    fake.settings.bandwidth.cdn = 16 * 2 ** 20;
    const verb = startVerb(fetchArguments("first", fake.url));
    await expect.poll(() => fake.bytesSentFor(digest), { timeout: 60_000 }).toBeGreaterThan(BIG / 4);
    verb.child.kill("SIGINT");
    const ended = await verb.ended;
    expect([ended.code, ended.out], ended.err).toEqual([130, ""]);
    await expect(stat(join(store, "manifests"))).rejects.toMatchObject({ code: "ENOENT" });
    // An `ollama serve` that starts later removes files without a manifest from here, never directories (PruneLayers).
    const left = await readdir(join(store, "blobs"), { withFileTypes: true });
    expect(left.filter((entry) => !entry.isDirectory())).toEqual([]);
    fake.settings.bandwidth.cdn = undefined;
    fake.forgetRequests();
    await fetched("first");
    await expectWhole(model);
    expect(fake.bytesSentFor(digest)).toBeLessThan(BIG * 0.85);
    expect(await readdir(join(store, "blobs"))).not.toContain(".granary");
  });
});
