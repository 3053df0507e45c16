/** Shows what clients without a login get to see of content that only Granary can read: nothing, not even that it is there. */
import { describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../../../src/http/serve.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import type { FakeRegistry, Fault, RequestRecord } from "../../support/fake-registry.ts";
import { startWorld } from "../../support/mirror-world.ts";
import { askFor, startUpstream } from "../../support/start-upstream.ts";
import { caPem, clientCert, clientKey, serverCert, serverKey } from "../../support/throwaway-tls.ts";
import { upstreamOf } from "../../support/upstream-of.ts";
import { ask } from "../../support/wire.ts";

const credentials = { username: "granary", password: "hunter2" };
const users = { granary: "hunter2" };
const loggedIn = { loggedIn: true, userAgent: undefined };
const GONE = { code: "not-found" };

const REGISTRIES = [
  ["a registry whose tokens tell what they open", { tokenForm: "jwt" }],
  ["a registry whose tokens tell nothing", { tokenForm: "opaque" }],
  ["a registry that gives no token for what is private", { tokenForm: "opaque", refusesTokens: true }],
] as const;

describe.each(REGISTRIES)("%s", (_, settings) => {
  async function publicWorld() {
    const world = await startWorld({
      mode: "hub",
      settings: { users, ...settings },
      upstream: { credentials },
    });
    const old = world.fake.addImage("team/app", "old", { layers: [100] });
    return { world, old };
  }

  it("what is pushed after a repository turned private is shown to nobody, in the same moment", async () => {
    const { world, old } = await publicWorld();
    const { fake } = world;
    await world.get("team/app", "old");
    for (const layer of old.layerDigests) await world.read("team/app", layer);
    const isNew = world.fake.addImage("team/app", "new", { layers: [200], seed: 9 });
    const [layer = ""] = isNew.layerDigests;
    fake.settings.privateRepositories.add("team/app");
    fake.moveTag("team/app", "moved", isNew.manifestDigest);
    const attempts = () => [
      world.open("team/app", layer),
      world.stat("team/app", layer),
      world.get("team/app", isNew.manifestDigest),
      world.head("team/app", isNew.manifestDigest),
      world.get("team/app", "new"),
      world.head("team/app", "moved"),
    ];
    for (const pass of ["before", "after"]) {
      for (const attempt of await Promise.allSettled(attempts()))
        expect(attempt.status, pass).toBe("rejected");
      // Somebody who may see it has it fetched meanwhile.
      await world.get("team/app", "new", loggedIn);
      await world.head("team/app", "moved", loggedIn);
      await world.read("team/app", layer, undefined, loggedIn);
      await world.tags("team/app", "", loggedIn);
    }
    const withLogin = fake.matching({ kind: "blob", method: "GET", status: 307 });
    expect(withLogin.length).toBeLessThanOrEqual(1 + old.layerDigests.length);
  });

  it("lists of a repository that turned private are shown to nobody", async () => {
    const { world, old } = await publicWorld();
    await world.get("team/app", "old");
    expect((await world.tags("team/app")).body).toContain("old");
    world.fake.settings.privateRepositories.add("team/app");
    world.fake.addImage("team/app", "secret-name", { layers: [1], seed: 3 });
    for (let pass = 0; pass < 2; pass++) {
      const answers = await Promise.allSettled([
        world.tags("team/app"),
        world.referrers("team/app", old.manifestDigest),
      ]);
      for (const answer of answers) expect(JSON.stringify(answer)).not.toContain("secret-name");
      await world.tags("team/app", "", loggedIn);
      world.clock.aheadMs += 10_001;
    }
    await expect(world.tags("team/app")).rejects.toMatchObject(GONE);
  });

  it("what was seen public and is stored costs no question, however often it is asked for", async () => {
    const { world, old } = await publicWorld();
    const [layer = ""] = old.layerDigests;
    const pull = async () => {
      await world.get("team/app", "old");
      await world.get("team/app", old.manifestDigest);
      await world.head("team/app", "old");
      await world.read("team/app", layer);
      await world.stat("team/app", layer);
    };
    await pull();
    world.fake.forgetRequests();
    for (let pass = 0; pass < 5; pass++) await pull();
    await world.restart(() => world.fake.pause());
    await pull();
    expect(world.fake.count()).toBe(0);
  });

  it("a tag that a public repository has not is asked for twice at most, however often clients do", async () => {
    const { world } = await publicWorld();
    await world.get("team/app", "old");
    world.fake.forgetRequests();
    for (let n = 0; n < 50; n++) await expect(world.get("team/app", "none")).rejects.toMatchObject(GONE);
    expect(world.fake.count({ origin: "registry" })).toBeLessThanOrEqual(2);
  });
});

describe("a page to sign in is no manifest", () => {
  const page = "<!doctype html><title>Sign in</title>";
  const isStranger = ({ headers, kind }: RequestRecord) =>
    headers.authorization === undefined && kind !== "ping";
  const html = { "content-type": "text/html; charset=utf-8" };

  it.each<[string, Fault]>([
    ["in place of everything", { kind: "status", status: 200, body: page, headers: html }],
    [
      "that calls itself JSON",
      {
        kind: "status",
        status: 200,
        body: '{"login":"please"}',
        headers: { "content-type": "application/json" },
      },
    ],
    [
      "that calls itself a list",
      { kind: "status", status: 200, body: '{"tags":null}', headers: { "content-type": "application/json" } },
    ],
    [
      "of a manifest's type",
      {
        kind: "status",
        status: 200,
        body: page,
        headers: { "content-type": "application/vnd.oci.image.manifest.v1+json" },
      },
    ],
    ["that a redirect leads to", { kind: "redirect", status: 302, location: "/login" }],
    ["at another host", { kind: "redirect", status: 302, location: "http://127.0.0.3:1/login" }],
  ])("%s", async (_, fault) => {
    const world = await startWorld({ settings: { users, auth: "basic" }, upstream: { credentials } });
    const image = world.fake.addImage("team/app", "1", { layers: [100] });
    // From the first challenge on our login is shown at once.
    await world.get("team/app", "1", loggedIn);
    world.fake.fail((request) => isStranger(request) && request.path.startsWith("/v2/team"), fault, {
      times: 1000,
    });
    world.fake.fail(/login/, { kind: "status", status: 200, body: page, headers: html }, { times: 1000 });
    await world.get("team/app", "1", loggedIn);
    const attempts = [
      world.get("team/app", "1"),
      world.get("team/app", image.manifestDigest),
      world.stat("team/app", image.configDigest),
      world.tags("team/app"),
      world.referrers("team/app", image.manifestDigest),
    ];
    for (const attempt of await Promise.allSettled(attempts)) expect(attempt.status).toBe("rejected");
  });

  it("and a registry that tells no digest by HEAD is believed by the manifest that it gives", async () => {
    const world = await startWorld({
      settings: { plainTextManifests: true },
      upstream: { credentials: async () => ({ credentials: undefined, says: "" }) },
    });
    const image = world.fake.addImage("team/app", "1", { layers: [100] });
    expect((await world.get("team/app", "1")).manifest.digest).toBe(image.manifestDigest);
  });
});

describe("a registry that wants our client certificate", () => {
  const tls = { ca: caPem, cert: clientCert, key: clientKey };
  const server = { cert: serverCert, key: serverKey };
  const certOnly = () => startWorld({ tls, fakeTls: { ...server, ca: caPem } });

  it("shows what it has to clients that logged in, and to nobody else", async () => {
    const world = await certOnly();
    const { layerDigests, manifestDigest } = world.fake.addImage("team/app", "1", { layers: [100] });
    const [layer = ""] = layerDigests;
    for (const pass of ["cold", "stored"]) {
      const attempts = [
        world.get("team/app", "1"),
        world.head("team/app", manifestDigest),
        world.stat("team/app", layer),
        world.open("team/app", layer),
        world.tags("team/app"),
        world.referrers("team/app", manifestDigest),
        world.get("team/none", "1"),
      ];
      for (const attempt of await Promise.allSettled(attempts))
        expect(attempt, pass).toMatchObject({ reason: GONE });
      await world.get("team/app", "1", loggedIn);
      expect(await world.read("team/app", layer, undefined, loggedIn)).toHaveLength(100);
    }
  });

  it("and lets in others as well is public", async () => {
    const world = await startWorld({ tls, fakeTls: server });
    const { layerDigests } = world.fake.addImage("team/app", "1", { layers: [100] });
    await world.get("team/app", "1");
    expect(await world.read("team/app", layerDigests[0] ?? "")).toHaveLength(100);
  });

  it("may be shared by its policy", async () => {
    const world = await startWorld({
      tls,
      fakeTls: { ...server, ca: caPem },
      upstream: { policy: { privateContent: "share" } },
    });
    world.fake.addImage("team/app", "1", { layers: [100] });
    await world.get("team/app", "1");
  });
});

describe("private and absent answer alike", () => {
  const PRIVATE = "team/private";
  const ABSENT = "team/missing";

  async function served(settings = {}) {
    const world = await startWorld({
      mode: "hub",
      settings: { users, privateRepositories: new Set([PRIVATE]), ...settings },
      upstream: { credentials },
    });
    const image = world.fake.addImage(PRIVATE, "1", { layers: [100] });
    const listener = { port: 0, host: "127.0.0.1", tls: undefined, login: undefined, upstream: "fake.test" };
    const upstreams = [upstreamOf(world.fake)];
    const { clock } = world;
    const observers = { log: silentLog, metrics: createMetrics(), clock };
    const serving = await serve({ listeners: [listener], upstreams, drainMs: 100 }, world.mirror, observers);
    onTestFinished(() => serving.close());
    return { world, image, port: serving.listeners[0]?.port ?? 0 };
  }

  type Seen = { readonly answers: readonly unknown[][]; readonly asked: readonly unknown[] };
  type Served = Awaited<ReturnType<typeof served>>;

  /** What a client sees of `repository`, and what the registry was asked for it. */
  async function seen({ world, image, port }: Served, repository: string) {
    const [layer = ""] = image.layerDigests;
    const answers: unknown[] = [];
    world.fake.forgetRequests();
    for (const [method, path, headers] of [
      ["GET", "manifests/1", {}],
      ["HEAD", "manifests/1", {}],
      ["GET", `manifests/${image.manifestDigest}`, { "if-none-match": `"${image.manifestDigest}"` }],
      ["HEAD", `blobs/${layer}`, {}],
      ["GET", `blobs/${layer}`, {}],
      ["GET", `blobs/${layer}`, { range: "bytes=0-9" }],
      ["GET", `blobs/${layer}`, { "if-none-match": `"${layer}"` }],
      ["GET", "tags/list", {}],
      ["GET", "tags/list?n=1", {}],
      ["GET", `referrers/${image.manifestDigest}`, {}],
    ] as const) {
      const answer = await ask(port, `/v2/${repository}/${path}`, { method, headers });
      const { date: _, ...rest } = answer.headers;
      answers.push([method, path, answer.status, rest, answer.body.toString()]);
    }
    const asked = world.fake.requests.map(({ origin, method, kind, status }) => [
      origin,
      method,
      kind,
      status,
    ]);
    return JSON.parse(JSON.stringify({ answers, asked }).replaceAll(repository, "NAME")) as Seen;
  }

  it.each(REGISTRIES)("by status, headers and body at %s, which is asked the same", async (_, settings) => {
    const one = await served(settings);
    // Where strangers get another token for the one than for the other, it is the registry that tells them apart, to everybody.
    const isTold = settings.tokenForm === "jwt" || "refusesTokens" in settings;
    const told = ({ answers, asked }: Seen) => (isTold ? { answers } : { answers, asked });
    expect(told(await seen(one, PRIVATE))).toEqual(told(await seen(one, ABSENT)));
    const [layer = ""] = one.image.layerDigests;
    await one.world.get(PRIVATE, "1", loggedIn);
    await one.world.read(PRIVATE, layer, undefined, loggedIn);
    await one.world.tags(PRIVATE, "", loggedIn);
    one.world.clock.aheadMs += 3600_000;
    expect(told(await seen(one, PRIVATE))).toEqual(told(await seen(one, ABSENT)));
  });

  it.each<[string, (fake: FakeRegistry) => void | Promise<void>]>([
    ["is down", (fake) => fake.pause()],
    ["is in trouble", (fake) => fake.fail(/./, { kind: "status", status: 503 }, { times: 10_000 })],
    ["limits everybody", (fake) => fake.fail(/./, { kind: "rate-limited" }, { times: 10_000 })],
    ["forbids everything", (fake) => fake.fail(/./, { kind: "status", status: 403 }, { times: 10_000 })],
  ])("also when one of them is stored and the registry %s", async (_, trouble) => {
    const one = await served();
    await one.world.get(PRIVATE, "1", loggedIn);
    await one.world.read(PRIVATE, one.image.layerDigests[0] ?? "", undefined, loggedIn);
    await trouble(one.world.fake);
    // What the registry is asked is a matter of when, here; the circuit is that of all its repositories.
    const first = await seen(one, PRIVATE);
    one.world.clock.aheadMs += 1000;
    const second = await seen(one, ABSENT);
    const told = ({ answers }: Seen) =>
      JSON.stringify(answers.map(([method, path, status, , body]) => [method, path, status, body]));
    expect(told(first)).toBe(told(second));
  });
});

it("a stranger's token is no older than a minute, whatever it says of itself", async () => {
  const { fake, client, clock } = await startUpstream(
    { mode: "hub", settings: { users, tokenExpiresIn: 36_000 } },
    { credentials },
  );
  fake.addImage("team/app", "1", { layers: [10] });
  const view = async () =>
    (await client.viewAnonymously({ repository: "team/app", by: { manifest: "1" } })).view;
  await client.headManifest(askFor("team/app", "1"));
  expect(await view()).toBe("open");
  fake.settings.anonymousLimits.add("manifest");
  expect(await view()).toBe("granted");
  fake.settings.privateRepositories.add("team/app");
  clock.aheadMs += 60_001;
  expect(await view()).toBe("closed");
});
