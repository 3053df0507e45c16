/** Shows an edge Granary: one whose upstream is another Granary, which may be a whole fleet behind its address. */
import { expect, onTestFinished, test } from "vitest";
import { serve } from "../../src/http/serve.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM, type WorldOptions } from "../support/mirror-world.ts";
import { upstreamOf } from "../support/upstream-of.ts";

const REPOSITORY = "library/app";

/** A Granary with an image at its registry, and an address for which other registries come first. */
async function startCore(options: WorldOptions = {}) {
  const core = await startWorld({ settings: { auth: "none" }, ...options });
  const image = core.fake.addImage(REPOSITORY, "1", { layers: [3 * MiB] });
  const listener = { port: 0, host: "127.0.0.1", upstream: UPSTREAM, login: undefined, tls: undefined };
  const settings = { listeners: [listener], upstreams: [upstreamOf(core.fake)], drainMs: 1_000 };
  const observers = { log: silentLog, metrics: createMetrics(), clock: core.clock };
  const serving = await serve(settings, core.mirror, observers);
  onTestFinished(() => serving.close());
  return { core, image, url: `http://127.0.0.1:${serving.listeners[0]?.port}` };
}

/** As `endpoints: [https://granary.example/v2/NAME]` has it. */
async function startEdge(url: string): Promise<MirrorWorld> {
  return await startWorld({ upstream: { endpoints: [`${url}/v2/${UPSTREAM}`] } });
}

test("what one edge has got from the core, another gets without the registry", async () => {
  const { core, image, url } = await startCore();
  const [layer = ""] = image.layerDigests;
  const pull = async (edge: MirrorWorld) => {
    expect((await edge.get(REPOSITORY, "1")).manifest.digest).toBe(image.manifestDigest);
    expect(await edge.read(REPOSITORY, layer)).toHaveLength(3 * MiB);
  };
  await pull(await startEdge(url));
  const asked = core.fake.requests.length;
  await pull(await startEdge(url));
  expect(core.fake.requests.length).toBe(asked);
});

test("an edge serves what it has while the core is gone", async () => {
  const { core, image, url } = await startCore();
  const [layer = ""] = image.layerDigests;
  const edge = await startEdge(url);
  await edge.get(REPOSITORY, "1");
  await edge.read(REPOSITORY, layer);
  await core.stop();
  expect((await edge.get(REPOSITORY, "1")).manifest.digest).toBe(image.manifestDigest);
  expect(await edge.read(REPOSITORY, layer)).toHaveLength(3 * MiB);
});

test("what the core denies is denied at the edge", async () => {
  const { url } = await startCore({ passage: { deny: [REPOSITORY] } });
  const edge = await startEdge(url);
  await expect(edge.get(REPOSITORY, "1")).rejects.toMatchObject({ code: expect.stringMatching(/denied/) });
});
