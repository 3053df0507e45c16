/**
 * Shows the Source that the client verbs open for themselves: which registry is asked for a name, how, and with what; directly,
 * by way of a mirror, and by way of a real Granary whose upstream may be gone.
 */
import { describe, expect, it, onTestFinished } from "vitest";
import { readSmallBlob } from "../src/client/fetching/read-blob.ts";
import { imageFrom } from "../src/client/images/image.ts";
import { loadSettings } from "../src/config/load.ts";
import type { UpstreamSettings } from "../src/config/settings.ts";
import { serve } from "../src/http/serve.ts";
import { silentLog } from "../src/observe/log.ts";
import { parseReference, type Reference } from "../src/oci/reference.ts";
import { parseModelName } from "../src/ollama/model-name.ts";
import { openSource, type SourceOptions } from "../src/open.ts";
import type { Source } from "../src/source.ts";
import type { Upstream } from "../src/upstream/policy.ts";
import { placeImage } from "./support/fake-images.ts";
import type { FakeRegistry } from "./support/fake-registry.ts";
import { startForwardProxy } from "./support/forward-proxy.ts";
import { type MirrorWorld, startWorld, UPSTREAM } from "./support/mirror-world.ts";
import { HurriedClock, startFake } from "./support/start-upstream.ts";
import { tempDirectory } from "./support/temp-directory.ts";
import { upstreamOf } from "./support/upstream-of.ts";

type Options = Partial<Omit<SourceOptions, "settings">> & { readonly upstreams?: readonly Upstream[] };

/** With the built-in settings, some of them replaced, and neither login file nor proxy of whoever runs the tests. */
async function open({ upstreams = [], ...options }: Options = {}): Promise<Source> {
  const builtIn = await loadSettings(undefined, {});
  const named = new Set(upstreams.map(({ name }) => name));
  const settings = {
    ...builtIn,
    upstreams: [
      ...upstreams.map((upstream): UpstreamSettings => ({ ...upstream, tls: undefined })),
      ...builtIn.upstreams.filter(({ name }) => !named.has(name)),
    ],
  };
  const env = { HOME: await tempDirectory() };
  const source = openSource({ settings, env, clock: new HurriedClock(), ...options });
  onTestFinished(() => source.close());
  return source;
}

/** The manifest and every blob of an image, each checked. */
async function readAll(source: Source, reference: Reference): Promise<void> {
  const { view } = await imageFrom(source, reference);
  for (const layer of view.layers) await readSmallBlob(source, reference, layer, 2 ** 20);
}

function namespaces(fake: FakeRegistry): (string | null)[] {
  return fake.requests.map(({ query }) => query.get("ns"));
}

describe("directly", () => {
  it("a registry that no setting names is asked under its own name, also on this very machine", async () => {
    const fake = await startFake({ mode: "plain" });
    fake.addImage("a/b", "1", { layers: [10, 20] });
    await readAll(await open(), parseReference(`${fake.host}/a/b:1`));
    const named = `localhost:${new URL(fake.url).port}/a/b:1`;
    await readAll(await open(), parseReference(named));
    expect(new Set(namespaces(fake))).toEqual(new Set([null]));
    expect(fake.requests.every(({ headers }) => headers["user-agent"]?.startsWith("granary/"))).toBe(true);
  });

  it("a registry that a setting names is reached by its endpoint, under its other names too", async () => {
    const fake = await startFake({ mode: "plain" });
    fake.addImage("a/b", "1", { layers: [10] });
    const upstreams = [upstreamOf(fake, { name: "fake.test", aliases: ["alias.test"] })];
    const source = await open({ upstreams });
    await readAll(source, parseReference("fake.test/a/b:1"));
    await readAll(source, parseReference("alias.test/a/b:1"));
  });

  it("Docker Hub's dance of tokens and redirects is danced, and the CDN hears no secret", async () => {
    const fake = await startFake({ mode: "hub" });
    fake.addImage("library/alpine", "3", { layers: [10, 20] });
    const source = await open({ upstreams: [upstreamOf(fake, { name: "docker.io", names: "hub" })] });
    await readAll(source, parseReference("alpine:3"));
    expect(fake.count({ origin: "cdn" })).toBeGreaterThan(0);
    expect(fake.violations).toEqual([]);
  });

  it("an endpoint of a configured registry on a private address needs its `internal`", async () => {
    const fake = await startFake({ mode: "plain" });
    fake.addImage("a/b", "1", { layers: [10] });
    const source = await open({ upstreams: [upstreamOf(fake, { internal: false })] });
    await expect(source.manifest(parseReference("fake.test/a/b:1"))).rejects.toMatchObject({
      code: "denied",
    });
    expect(fake.connections).toBe(0);
  });

  it("a public registry's redirect to a private address is refused, for manifests and for blobs", async () => {
    const [fake, victim] = [await startFake({ mode: "plain" }), await startFake({ mode: "plain" })];
    const { manifestDigest, layerDigests } = fake.addImage("a/b", "1", { layers: [10] });
    const [digest = manifestDigest] = layerDigests;
    // Only the proxy can resolve a public name to a loopback address; the test's own process may not.
    const proxy = await startForwardProxy({ "public.test": fake.host });
    const endpoints = ["http://public.test"];
    const source = await open({
      env: { HOME: await tempDirectory(), HTTP_PROXY: proxy.url },
      upstreams: [upstreamOf(fake, { name: "quay.io", internal: false, endpoints })],
    });
    const reference = parseReference("quay.io/a/b:1");
    expect((await source.manifest(reference)).digest).toBe(manifestDigest);
    fake.fail(/manifests|blobs/, { kind: "redirect", location: `${victim.url}/x` }, { times: 20 });
    const refused = expect.objectContaining({ code: "denied" });
    await expect(source.manifest(reference)).rejects.toEqual(refused);
    await expect(readSmallBlob(source, reference, { digest, size: 10 }, 10)).rejects.toEqual(refused);
    expect(victim.connections).toBe(0);
    expect(victim.requests).toEqual([]);
  });

  it("`insecure` asks the registry itself over plain HTTP, whatever is configured for it", async () => {
    const fake = await startFake({ mode: "plain" });
    fake.addImage("a/b", "1", { layers: [10] });
    const nowhere = upstreamOf(fake, {
      name: fake.host,
      internal: false,
      endpoints: ["https://absent.test"],
    });
    const source = await open({ upstreams: [nowhere], insecure: true });
    await readAll(source, parseReference(`${fake.host}/a/b:1`));
  });

  it("without `insecure` a registry with a name is asked over https only", async () => {
    const fake = await startFake({ mode: "plain" });
    fake.addImage("a/b", "1", { layers: [10] });
    // 127.0.0.1 spelt as an address that is not taken for this machine.
    const source = await open();
    const asked = source.manifest(parseReference(`[::ffff:7f00:1]:${new URL(fake.url).port}/a/b:1`));
    await expect(asked).rejects.toMatchObject({ code: "upstream-unavailable" });
    expect(fake.requests).toEqual([]);
  });

  it("its end ends what is under way", async () => {
    const fake = await startFake({ mode: "plain" });
    fake.fail(/manifests/, { kind: "hang" });
    const source = await open();
    const asked = expect(source.manifest(parseReference(`${fake.host}/a/b:1`))).rejects.toMatchObject({
      code: "closed",
    });
    await expect.poll(() => fake.count()).toBe(1);
    await source.close();
    await asked;
    await expect.poll(() => fake.connections).toBe(0);
  });
});

describe("via a mirror", () => {
  it.each(["", "/"])(
    "every request tells by ns which registry is meant (base URL ending in %j)",
    async (end) => {
      const fake = await startFake({ mode: "plain" });
      fake.addImage("library/alpine", "3", { layers: [10] });
      fake.addImage("a/b", "1", { layers: [20] });
      const source = await open({ via: `${fake.url}${end}` });
      await readAll(source, parseReference("alpine:3"));
      await readAll(source, parseReference("elsewhere.test/a/b:1"));
      const asked = fake.requests.map(({ path, query }) => [path, query.get("ns")]);
      expect(asked).toContainEqual(["/v2/library/alpine/manifests/3", "docker.io"]);
      expect(asked).toContainEqual(["/v2/a/b/manifests/1", "elsewhere.test"]);
      expect(new Set(namespaces(fake))).toEqual(new Set(["docker.io", "elsewhere.test"]));
    },
  );

  it("the mirror is asked for heads and sizes as well", async () => {
    const fake = await startFake({ mode: "plain" });
    const { manifestDigest, layerDigests } = fake.addImage("a/b", "1", { layers: [20] });
    const source = await open({ via: fake.url });
    const reference = parseReference("elsewhere.test/a/b:1");
    expect((await source.headManifest(reference)).digest).toBe(manifestDigest);
    for (const digest of layerDigests) expect(await source.blobSize(reference, digest)).toBe(20);
    expect(new Set(namespaces(fake))).toEqual(new Set(["elsewhere.test"]));
  });

  it("credentials that are configured for the registry itself stay away from the mirror", async () => {
    const fake = await startFake({ mode: "plain", settings: { auth: "basic", users: { me: "secret" } } });
    fake.addImage("a/b", "1", { layers: [10] });
    const upstreams = [upstreamOf(fake, { credentials: { username: "me", password: "secret" } })];
    const reference = parseReference("fake.test/a/b:1");
    const viaMirror = await open({ upstreams, via: fake.url });
    await expect(viaMirror.manifest(reference)).rejects.toMatchObject({ code: "unauthorized" });
    expect(fake.count()).toBeGreaterThan(0);
    for (const { headers } of fake.requests) expect(headers).not.toHaveProperty("authorization");
    await readAll(await open({ upstreams }), reference);
  });

  it("the registry that the name implies hears nothing", async () => {
    const [mirror, registry] = [await startFake({ mode: "plain" }), await startFake({ mode: "plain" })];
    for (const fake of [mirror, registry]) fake.addImage("a/b", "1", { layers: [10] });
    const source = await open({ upstreams: [upstreamOf(registry)], via: mirror.url });
    await readAll(source, parseReference("fake.test/a/b:1"));
    await mirror.pause();
    await expect(source.manifest(parseReference("fake.test/a/b:1"))).rejects.toMatchObject({
      code: "upstream-unavailable",
    });
    expect(registry.requests).toEqual([]);
  });

  it("a mirror that does not have it says not found, by the name that was asked for", async () => {
    const fake = await startFake({ mode: "plain" });
    const source = await open({ via: fake.url });
    await expect(source.manifest(parseReference("alpine"))).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("docker.io/library/alpine:latest"),
    });
  });
});

/** Two listeners over one Mirror, as `granary serve` has them: one implies the Ollama registry, the other Docker Hub. */
async function serveWorld(world: MirrorWorld, upstreams: readonly Upstream[]): Promise<string[]> {
  const listener = { host: "127.0.0.1", port: 0, login: undefined, tls: undefined };
  const listeners = upstreams.map(({ name }) => ({ ...listener, upstream: name }));
  const observers = { log: silentLog, metrics: world.metrics, clock: world.clock };
  const serving = await serve({ listeners, upstreams, drainMs: 1_000 }, world.mirror, observers);
  onTestFinished(() => serving.close());
  return serving.listeners.map(({ url }) => url);
}

describe("via a Granary", () => {
  it("images and models of its upstreams come through any of its listeners, and stay there when the upstreams are gone", async () => {
    const models = await startFake({ mode: "ollama" });
    const ollama = upstreamOf(models, { name: "registry.ollama.ai", names: "ollama" });
    const world = await startWorld({ others: [ollama] });
    const image = world.fake.addImage("a/b", "1", { layers: [10, 300_000] });
    placeImage(world.fake, "a/b", "tiny");
    models.addImage("user/Model.X", "Q4_K_M", { layers: [100_000] });
    const urls = await serveWorld(world, [upstreamOf(world.fake), ollama]);
    const references = [
      parseReference(`${UPSTREAM}/a/b:1`),
      parseReference(`${UPSTREAM}/a/b:tiny`),
      parseReference(`${UPSTREAM}/a/b@${image.manifestDigest}`),
      parseModelName("user/Model.X:Q4_K_M"),
    ];
    const [via = ""] = urls;
    const cold = await open({ via });
    for (const reference of references) await readAll(cold, reference);
    await world.fills(0);
    await Promise.all([world.fake.pause(), models.pause()]);
    for (const url of urls) {
      const warm = await open({ via: url });
      for (const reference of references) {
        await readAll(warm, reference);
        expect((await warm.headManifest(reference)).digest).toBe((await warm.manifest(reference)).digest);
      }
      for (const digest of image.layerDigests)
        await warm.blobSize({ registry: UPSTREAM, repository: "a/b" }, digest);
      await warm.close();
    }
    for (const digest of image.layerDigests) {
      expect(world.fake.count({ kind: "blob", method: "GET", reference: digest })).toBe(1);
    }
    await cold.close();
  });

  it("its base URL may name the upstream as well", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [10] });
    const [url = ""] = await serveWorld(world, [upstreamOf(world.fake)]);
    const source = await open({ via: `${url}/${UPSTREAM}/` });
    await readAll(source, parseReference(`${UPSTREAM}/a/b:1`));
    await source.close();
  });

  it("an upstream that it does not have is refused by name", async () => {
    const world = await startWorld();
    const [via = ""] = await serveWorld(world, [upstreamOf(world.fake)]);
    const source = await open({ via });
    await expect(source.manifest(parseReference("elsewhere.test/a/b:1"))).rejects.toMatchObject({
      code: "not-found",
    });
    expect(world.fake.requests).toEqual([]);
    await source.close();
  });
});
