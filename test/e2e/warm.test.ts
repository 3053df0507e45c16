/**
 * Shows that what a warm-up brought in is all that real clients need: an index for two platforms and a model, pulled by skopeo and by Ollama's
 * exact requests with both registries gone, on a fast and on a slow line; and that a kill in the middle costs nothing twice.
 */
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FakeRegistry, startFakeRegistry } from "../support/fake-registry.ts";
import { pullModel } from "../support/ollama-client.ts";
import { eventually } from "../support/patience.ts";
import { type GranaryProcess, startGranary } from "./support/granary-process.ts";
import { NO_WAY_OUT } from "./support/image-client.ts";
import { FAST_LINE, LINES, type LineKind, openLine } from "./support/lines.ts";
import { addModel, bigLayerOf, checkedPlace, startOllamaUpstream } from "./support/ollama-upstream.ts";
import { describeWith } from "./support/required-programs.ts";
import { runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";

const HUB = "docker.io";
const OLLAMA = "registry.ollama.ai";
const MIB = 2 ** 20;
/** Nothing after the last checkpoint survives a kill; checkpoints are at most a second apart, and connections lose what was on its way. */
const LOST_AT_KILL = 24 * MIB;

let cleanup: AsyncDisposableStack;
let hub: FakeRegistry;
let ollama: FakeRegistry;
let granary: GranaryProcess;

async function start(line: LineKind): Promise<void> {
  cleanup = new AsyncDisposableStack();
  hub = await startFakeRegistry({ mode: "plain" });
  cleanup.defer(() => hub.close());
  ollama = await startOllamaUpstream(cleanup);
  await openLine(cleanup, line, hub);
  await openLine(cleanup, line, ollama);
  const internal = { internal: true };
  granary = await startGranary(cleanup, {
    upstreams: {
      [HUB]: { endpoints: [hub.url], ...internal },
      [OLLAMA]: { endpoints: [ollama.url], ...internal },
    },
  });
}

/** An index of three platforms; the first two are wanted. */
function addApp(): readonly string[] {
  const platforms = ["linux/amd64", "linux/arm64", "linux/s390x"];
  const images = platforms.map((platform, place) => {
    const layers = [MIB, 4 * MIB + place];
    return { platform, ...hub.addImage("library/app", undefined, { layers, seed: 20 * (place + 1) }) };
  });
  hub.addIndex(
    "library/app",
    "1",
    images.map(({ manifestDigest, platform }) => ({ digest: manifestDigest, platform })),
  );
  return images.slice(0, 2).flatMap(({ layerDigests }) => layerDigests);
}

/** skopeo checks each digest; it fails where anything is missing. */
async function copy(architecture: string): Promise<void> {
  const place = join(await scratchDirectory(cleanup, "skopeo"), architecture);
  const source = `docker://127.0.0.1:${granary.port(HUB)}/library/app:1`;
  const options = ["--override-os", "linux", "--override-arch", architecture];
  const from = ["--src-tls-verify=false", "--quiet", source, `dir:${place}`];
  await runCommand("skopeo", [...options, "copy", ...from], { env: NO_WAY_OUT });
}

for (const line of LINES) {
  describeWith(["skopeo"], `a warm-up on ${line.name}`, () => {
    beforeEach(() => start(line));
    afterEach(() => cleanup.disposeAsync());

    test("of an index for two platforms and a model is pulled with both registries gone, each byte once", async () => {
      const layers = addApp();
      const model = addModel(ollama, "library/big", { seed: 1, size: (line === FAST_LINE ? 256 : 24) * MIB });
      const warm = ["warm", "app:1", "ollama:big", "--platform", "linux/amd64", "--platform", "linux/arm64"];
      const preview = await granary.ask(...warm, "--dry-run");
      expect(preview).toMatch(/^docker\.io\/library\/app:1: would fetch 10/m);
      for (const digest of layers) expect(hub.bytesSentFor(digest)).toBe(0);
      const told = await granary.ask(...warm);
      expect(told).toMatch(/^2 brought in /);

      await hub.pause();
      await ollama.pause();
      await copy("amd64");
      await copy("arm64");
      await expect(copy("s390x")).rejects.toThrow();
      const host = new URL(granary.url(OLLAMA)).host;
      const pulled = await pullModel({
        name: `${host}/${model.repository}:${model.tag}`,
        placeFor: (layer) => checkedPlace(model, layer),
      });
      expect(pulled.manifestDigest).toBe(model.manifestDigest);
      if (line !== FAST_LINE) return;
      // On a slow line, what connections lose when they end is counted as sent.
      for (const [digest, { size }] of model.blobs)
        expect(ollama.bytesSentFor(digest)).toBeLessThan(size * 1.02 + 1);
    });
  });
}

function defineKilled(): void {
  beforeEach(() => start(FAST_LINE));
  afterEach(() => cleanup.disposeAsync());

  test("goes on after the next start by itself, and what had come in does not cross again", async () => {
    const first = addModel(ollama, "library/small", { seed: 50, size: 8 * MIB });
    const model = addModel(ollama, "library/big", { seed: 1, size: 256 * MIB });
    ollama.settings.bandwidth = { registry: undefined, cdn: 4 * MIB };
    const { digest } = bigLayerOf(model);
    await granary.ask("warm", "ollama:small", "ollama:big", "--detach");
    await eventually(() => expect(ollama.bytesSentFor(digest)).toBeGreaterThan(48 * MIB));
    await granary.kill();
    ollama.settings.bandwidth = { registry: undefined, cdn: undefined };
    await granary.start();
    expect(await granary.ask("jobs", "follow", "1")).toMatch(/^State +done$/m);
    expect(ollama.bytesSentFor(digest)).toBeLessThan(256 * MIB + LOST_AT_KILL + 48 * MIB);
    expect(ollama.bytesSentFor(bigLayerOf(first).digest)).toBeLessThan(8 * MIB * 1.02);
    await ollama.pause();
    const host = new URL(granary.url(OLLAMA)).host;
    const name = `${host}/${model.repository}:${model.tag}`;
    const pulled = await pullModel({ name, placeFor: (layer) => checkedPlace(model, layer) });
    expect(pulled.manifestDigest).toBe(model.manifestDigest);
  });
}

if (LINES.includes(FAST_LINE)) describeWith(["skopeo"], "a warm-up that is killed", defineKilled);
