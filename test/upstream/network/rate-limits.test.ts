/** Owns the tests of limits and outages as a whole client meets them (docs/protocol.md#docker-hub-rate-limits, docs/protocol.md#retries). */

import { describe, expect, it, vi } from "vitest";
import { room } from "../../support/room.ts";
import { askFor, clientOf, startFake, startUpstream } from "../../support/start-upstream.ts";

const users = { alice: "wonderland" };
const alice = { username: "alice", password: "wonderland" };

async function startPlain() {
  const started = await startUpstream({ mode: "plain" });
  const image = started.fake.addImage("x", "y", { layers: [1000] });
  return { ...started, image, ask: askFor("x", "y") };
}

describe("a limit", () => {
  it("is remembered: no further request until Retry-After is over, and then one goes through", async () => {
    const { fake, client, clock, metrics, ask } = await startPlain();
    fake.fail(/manifests/, { kind: "rate-limited", retryAfter: "30" });
    await expect(client.headManifest(ask)).rejects.toMatchObject({
      code: "rate-limited",
      facts: { retryAfterMs: 30_000, upstreamStatus: 429 },
    });
    await expect(client.headManifest(ask)).rejects.toMatchObject({ code: "rate-limited" });
    expect(fake.count()).toBe(1);
    // Of other repositories and other kinds of questions it says nothing, until another meets it.
    expect(await client.getManifest(ask)).toBeDefined();
    expect(client.status().circuit).toBe("closed");
    fake.addImage("x2", "y", { layers: [1000] });
    fake.fail(/manifests/, { kind: "rate-limited", retryAfter: "30" });
    await expect(client.headManifest(askFor("x2", "y"))).rejects.toMatchObject({ code: "rate-limited" });
    expect(client.status()).toMatchObject({ circuit: "open", reason: expect.stringContaining("429") });
    await expect(client.headManifest(askFor("x3", "y"))).rejects.toMatchObject({ code: "rate-limited" });
    expect(await metrics.registry.metrics()).toContain(
      'granary_upstream_circuit_open{upstream="fake.test"} 1',
    );

    clock.aheadMs = 30_001;
    expect(await client.headManifest(ask)).toBeDefined();
    expect(client.status().circuit).toBe("closed");
    expect(await metrics.registry.metrics()).toContain(
      'granary_upstream_circuit_open{upstream="fake.test"} 0',
    );
  });

  it("reads Retry-After as a date, too", async () => {
    const { fake, client, ask } = await startPlain();
    const retryAfter = new Date(Date.now() + 90_000).toUTCString();
    fake.fail(/manifests/, { kind: "rate-limited", retryAfter });
    const error = await client.headManifest(ask).catch((each: unknown) => each);
    expect(error).toMatchObject({ code: "rate-limited" });
    const { retryAfterMs } = (error as { facts: { retryAfterMs: number } }).facts;
    expect(retryAfterMs).toBeGreaterThan(85_000);
    expect(retryAfterMs).toBeLessThanOrEqual(90_000);
  });

  it("without Retry-After, or in plain text, holds for a minute", async () => {
    const { fake, client, clock, ask } = await startPlain();
    fake.fail(/manifests/, { kind: "rate-limited", plain: true });
    await expect(client.headManifest(ask)).rejects.toMatchObject({ code: "rate-limited" });
    clock.aheadMs = 59_000;
    await expect(client.headManifest(ask)).rejects.toMatchObject({ code: "rate-limited" });
    clock.aheadMs = 61_000;
    expect(await client.headManifest(ask)).toBeDefined();
  });

  it("at the token server is a limit as well", async () => {
    const { fake, client } = await startUpstream({ mode: "hub" });
    fake.fail(/token/, { kind: "rate-limited", retryAfter: "5" });
    await expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({ code: "rate-limited" });
    await expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({ code: "rate-limited" });
    expect(fake.count({ origin: "auth" })).toBe(1);
  });

  it("of the anonymous identity does not stop requests with credentials", async () => {
    const settings = { users, rateLimit: { limit: 1, windowSeconds: 21_600 } };
    const { fake, client } = await startUpstream({ mode: "hub", settings }, { credentials: alice });
    fake.addImage("library/alpine", "latest", { layers: [1] });
    const ask = askFor("library/alpine", "latest");
    const { client: nobody } = clientOf(fake);
    await nobody.getManifest(ask);
    fake.settings.tokenForm = "opaque";
    const view = client.viewAnonymously({ repository: "library/alpine", by: { manifest: "latest" } });
    expect((await view).view).toBe("open");
    expect(fake.count({ kind: "manifest", status: 429 })).toBe(1);
    expect(await client.getManifest(ask)).toBeDefined();
    expect(client.status().circuit).toBe("closed");
  });

  it("of the CDN is a passing trouble of that blob, and silences nothing", async () => {
    const { fake, client } = await startUpstream({ mode: "ollama" });
    const digest = fake.addBlob(Buffer.from("hello"));
    fake.fail(/blobs/, { kind: "rate-limited", retryAfter: "9" }, { origin: "cdn" });
    const opening = client
      .blobOrigin("library/x", digest)
      .open({ start: 0, end: 5 }, new AbortController().signal);
    await expect(opening).rejects.toMatchObject({
      code: "upstream-unavailable",
      facts: { retryAfterMs: 9000 },
    });
    expect(client.status().circuit).toBe("closed");
  });

  it("spends nothing on HEAD, and its remaining budget is read and exported", async () => {
    const settings = { rateLimit: { limit: 100, windowSeconds: 21_600 } };
    const { fake, client, metrics } = await startUpstream({ mode: "hub", settings });
    fake.addImage("library/alpine", "latest", { layers: [1] });
    const ask = askFor("library/alpine", "latest");
    expect(client.status().rateLimit).toBeUndefined();
    await client.headManifest(ask);
    expect(client.status().rateLimit).toMatchObject({ limit: 100, remaining: 100, windowMs: 21_600_000 });
    await client.getManifest(ask);
    expect(client.status().rateLimit).toMatchObject({ remaining: 99 });
    expect(fake.pullsSpent()).toBe(1);
    const text = await metrics.registry.metrics();
    expect(text).toContain('granary_upstream_ratelimit_remaining{upstream="fake.test"} 99');
    expect(text).toContain('granary_upstream_ratelimit_limit{upstream="fake.test"} 100');
  });
});

describe("trouble that passes", () => {
  it.each([408, 500, 502, 503, 504])(
    "such as %i is asked again, at most three times in all",
    async (status) => {
      const { fake, client, ask } = await startPlain();
      fake.fail(/manifests/, { kind: "status", status }, { times: 2 });
      expect(await client.headManifest(ask)).toBeDefined();
      expect(fake.count({ kind: "manifest" })).toBe(3);
      fake.fail(/manifests/, { kind: "status", status }, { times: 3 });
      await expect(client.getManifest(ask)).rejects.toMatchObject({
        code: "upstream-unavailable",
        facts: { upstreamStatus: status },
      });
      expect(fake.count({ kind: "manifest" })).toBe(6);
    },
  );

  it.each([{ kind: "reset" }, { kind: "hang-up" }] as const)(
    "such as a $kind is asked again",
    async (fault) => {
      const { fake, client, ask } = await startPlain();
      fake.fail(/manifests/, fault, { times: 2 });
      expect(await client.getManifest(ask)).toBeDefined();
    },
  );

  it.each([
    [403, "denied"],
    [418, "upstream-refused"],
    [429, "rate-limited"],
  ])("is not what %i means: it is asked once", async (status, code) => {
    const { fake, client, ask } = await startPlain();
    fake.fail(/manifests/, { kind: "status", status }, { times: 3 });
    await expect(client.headManifest(ask)).rejects.toMatchObject({ code });
    expect(fake.count()).toBe(1);
  });

  it("is not waited for longer than the budget", async () => {
    const { fake, client, ask } = await startPlain();
    fake.fail(/manifests/, { kind: "status", status: 503, headers: { "retry-after": "120" } });
    await expect(client.headManifest(ask)).rejects.toMatchObject({
      code: "upstream-unavailable",
      facts: { retryAfterMs: 120_000 },
    });
    expect(fake.count()).toBe(1);
  });
});

describe("an upstream that is down", () => {
  it("is remembered, answered for at once, and asked again by itself when it is back", async () => {
    const { fake, client, ask } = await startPlain();
    await fake.pause();
    await expect(client.headManifest(ask)).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringContaining("the connection was refused"),
    });
    expect(client.status().circuit).not.toBe("closed");
    await expect(client.tags("x", "", room())).rejects.toMatchObject({ code: "upstream-unavailable" });
    await fake.resume();
    await vi.waitFor(() => expect(client.status().circuit).toBe("closed"), { timeout: 20_000 });
    expect(fake.count({ kind: "manifest" })).toBe(0);
    expect(await client.headManifest(ask)).toBeDefined();
  });

  it("is not dead because its CDN is", async () => {
    const { fake, client, ask } = await startPlain();
    const digest = fake.addBlob(Buffer.from("hello"));
    fake.settings.getBlob = "redirect";
    const origin = client.blobOrigin("x", digest);
    fake.fail(/blobs/, { kind: "reset" }, { origin: "cdn", times: 5 });
    for (let time = 0; time < 5; time++) {
      const opening = origin.open({ start: 0, end: 1 }, new AbortController().signal);
      await expect(opening).rejects.toMatchObject({ code: "upstream-unavailable" });
    }
    expect(client.status().circuit).toBe("closed");
    expect(await client.headManifest(ask)).toBeDefined();
  });

  it("is told apart from a name that does not resolve", async () => {
    const fake = await startFake({ mode: "plain" });
    const { client } = clientOf(
      fake,
      { endpoints: ["http://nowhere.test"] },
      {
        lookup: (_name, _options, done) =>
          done(Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" }), ""),
      },
    );
    await expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: "HEAD http://nowhere.test/v2/x/manifests/y failed: the name does not resolve.",
    });
  });
});

describe("several endpoints", () => {
  async function startTwo() {
    const first = await startFake({ mode: "plain" });
    const second = await startFake({ mode: "plain" });
    for (const fake of [first, second]) fake.addImage("x", "y", { layers: [1000] });
    const started = clientOf(first, { endpoints: [`${first.url}/`, second.url] });
    return { first, second, ...started, ask: askFor("x", "y") };
  }

  it("are tried in order, and one that is down goes behind the other", async () => {
    const { first, second, client, ask } = await startTwo();
    await client.headManifest(ask);
    expect([first.count(), second.count()]).toEqual([1, 0]);
    await first.pause();
    await client.headManifest(ask);
    await client.headManifest(ask);
    expect(second.count()).toBe(2);
    await first.resume();
    await second.pause();
    expect(await client.headManifest(ask)).toBeDefined();
    expect(client.status().circuit).toBe("closed");
  });

  it("are all asked before something counts as absent", async () => {
    const { first, second, client } = await startTwo();
    second.addImage("only/second", "y", { layers: [10] });
    expect(await client.headManifest(askFor("only/second", "y"))).toBeDefined();
    expect(await client.headManifest(askFor("only/nowhere", "y"))).toBeUndefined();
    await first.pause();
    await expect(client.headManifest(askFor("only/nowhere", "y"))).rejects.toMatchObject({
      code: "upstream-unavailable",
    });
  });

  it("change places when one of them delivered wrong bytes", async () => {
    const { first, second, client } = await startTwo();
    const bytes = Buffer.from("hello");
    const digest = first.addBlob(bytes);
    second.addBlob(bytes);
    const origin = client.blobOrigin("x", digest);
    const { signal } = new AbortController();
    (await origin.open({ start: 0, end: 5 }, signal)).dismiss();
    origin.strike();
    (await origin.open({ start: 0, end: 5 }, signal)).dismiss();
    expect([first.count({ kind: "blob" }), second.count({ kind: "blob" })]).toEqual([1, 1]);
  });
});
