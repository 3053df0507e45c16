/**
 * Owns the tests of the fake itself, over plain fetch: what the other tests lean on has to be true without the client
 * that they test.
 */
import { describe, expect, it, onTestFinished } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { type FakeOptions, startFakeRegistry } from "./fake-registry.ts";
import { PROMPT_MS } from "./patience.ts";
import { digestOfPattern, firstDifference, patternBytes } from "./pattern.ts";

async function start(options: FakeOptions) {
  const fake = await startFakeRegistry(options);
  onTestFinished(() => fake.close());
  return fake;
}

async function tokenOf(response: Response, basic?: string): Promise<string> {
  const challenge = response.headers.get("www-authenticate") ?? "";
  const [, realm, service, scope] = /realm="(.*?)",service="(.*?)",scope="(.*?)"/.exec(challenge) ?? [];
  const query = new URLSearchParams({ service: service ?? "", scope: scope ?? "" });
  const answer = await fetch(
    `${realm}?${query}`,
    basic === undefined ? {} : { headers: { authorization: basic } },
  );
  const { token } = (await answer.json()) as { token: string };
  return `Bearer ${token}`;
}

describe("the pattern", () => {
  it("gives the same bytes wherever a read begins", () => {
    const whole = patternBytes(4, 0, 300_000);
    for (const [offset, length] of [
      [0, 1],
      [511, 3],
      [513, 2000],
      [65_535, 70_000],
      [299_999, 1],
    ] as const) {
      expect(patternBytes(4, offset, length).equals(whole.subarray(offset, offset + length))).toBe(true);
    }
    expect(digestOfPattern(4, 300_000)).toBe(digestOf(whole));
  });

  it("differs between seeds and between places, and says where", () => {
    expect(patternBytes(4, 0, 64).equals(patternBytes(5, 0, 64))).toBe(false);
    expect(patternBytes(4, 0, 1024).equals(patternBytes(4, 64 * 1024, 1024))).toBe(false);
    const bytes = patternBytes(4, 1000, 100);
    bytes.writeUInt8(bytes.readUInt8(7) ^ 1, 7);
    expect(firstDifference(4, 1000, bytes)).toBe(1007);
  });
});

describe("the fake", () => {
  it("asks for a token and redirects a blob to a CDN that refuses Authorization", async () => {
    const fake = await start({ mode: "hub" });
    const digest = fake.addGeneratedBlob({ seed: 1, size: 100_000 }, "library/x");
    fake.addImage("library/x", "latest", { layers: [10] });
    const url = `${fake.url}/v2/library/x/blobs/${digest}`;
    const authorization = await tokenOf(await fetch(url));
    const redirect = await fetch(url, { redirect: "manual", headers: { authorization } });
    expect(redirect.status).toBe(307);
    const location = redirect.headers.get("location") ?? "";
    expect((await fetch(location, { headers: { authorization } })).status).toBe(400);
    expect(fake.violations).toHaveLength(1);
    const bytes = Buffer.from(await (await fetch(location)).arrayBuffer());
    expect(digestOf(bytes)).toBe(digest);
    expect((await fetch(location.replace(/expires=\d/, "expires=9"))).status).toBe(403);
    fake.advance(21 * 60_000);
    expect((await fetch(location)).status).toBe(403);
    expect(fake.bytesSentFor(digest)).toBeGreaterThanOrEqual(100_000);
    expect(fake.maxConcurrentFor(digest)).toBe(1);
  });

  it("hides absent and private repositories behind 401, and tags behind 404", async () => {
    const fake = await start({ mode: "hub", settings: { users: { alice: "pw" } } });
    fake.addImage("library/x", "latest", { layers: [10] });
    fake.settings.privateRepositories.add("library/x");
    const url = `${fake.url}/v2/library/x/manifests`;
    const anonymous = await tokenOf(await fetch(`${url}/latest`));
    expect((await fetch(`${url}/latest`, { headers: { authorization: anonymous } })).status).toBe(401);
    const basic = `Basic ${Buffer.from("alice:pw").toString("base64")}`;
    const authorization = await tokenOf(await fetch(`${url}/latest`), basic);
    expect((await fetch(`${url}/latest`, { headers: { authorization } })).status).toBe(200);
    expect((await fetch(`${url}/other`, { headers: { authorization } })).status).toBe(404);
    fake.revokeTokens();
    expect((await fetch(`${url}/latest`, { headers: { authorization } })).status).toBe(401);
  });

  it("charges GET, not HEAD, and says 429 when the budget is spent", async () => {
    const fake = await start({
      mode: "plain",
      settings: { rateLimit: { limit: 1, windowSeconds: 60 }, retryAfter: "7" },
    });
    const { manifestDigest } = fake.addImage("x", "y", { layers: [10] });
    const url = `${fake.url}/v2/x/manifests/y`;
    const head = await fetch(url, { method: "HEAD" });
    expect(head.headers.get("ratelimit-remaining")).toBe("1;w=60");
    expect(head.headers.get("docker-content-digest")).toBe(manifestDigest);
    expect((await fetch(url)).headers.get("ratelimit-remaining")).toBe("0;w=60");
    const spent = await fetch(url);
    expect([spent.status, spent.headers.get("retry-after")]).toEqual([429, "7"]);
    expect(await spent.json()).toMatchObject({ errors: [{ code: "TOOMANYREQUESTS" }] });
  });

  it("answers If-None-Match with 304 when told to, and moves and deletes tags", async () => {
    const fake = await start({ mode: "plain" });
    const first = fake.addImage("x", "y", { layers: [10] });
    const second = fake.addImage("x", undefined, { layers: [20] });
    const ask = () =>
      fetch(`${fake.url}/v2/x/manifests/y`, { headers: { "if-none-match": `"${first.manifestDigest}"` } });
    expect((await ask()).status).toBe(304);
    fake.settings.conditional = false;
    expect((await ask()).status).toBe(200);
    fake.moveTag("x", "y", second.manifestDigest);
    expect((await ask()).headers.get("docker-content-digest")).toBe(second.manifestDigest);
    fake.deleteTag("x", "y");
    expect((await ask()).status).toBe(404);
  });

  it("serves single ranges, 416, and If-Range", async () => {
    const fake = await start({ mode: "plain" });
    const digest = fake.addGeneratedBlob({ seed: 2, size: 1000 });
    const ask = (headers: Record<string, string>) => fetch(`${fake.url}/v2/x/blobs/${digest}`, { headers });
    const part = await ask({ range: "bytes=990-2000" });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 990-999/1000"]);
    expect(firstDifference(2, 990, Buffer.from(await part.arrayBuffer()))).toBeUndefined();
    expect((await ask({ range: "bytes=-10" })).headers.get("content-range")).toBe("bytes 990-999/1000");
    expect((await ask({ range: "bytes=1000-" })).headers.get("content-range")).toBe("bytes */1000");
    expect((await ask({ range: "bytes=0-1", "if-range": '"other"' })).status).toBe(200);
  });

  it("goes away and comes back on the same port", async () => {
    const fake = await start({ mode: "plain" });
    const { url } = fake;
    await fake.pause();
    await expect(fetch(`${url}/v2/`)).rejects.toThrow();
    await fake.resume();
    expect(fake.url).toBe(url);
    expect((await fetch(`${url}/v2/`)).status).toBe(200);
  });

  it("commits a planned fault as often as it was told to", async () => {
    const fake = await start({ mode: "plain" });
    const digest = fake.addGeneratedBlob({ seed: 2, size: 100_000 });
    const ask = async () =>
      Buffer.from(await (await fetch(`${fake.url}/v2/x/blobs/${digest}`)).arrayBuffer());
    fake.fail(/blobs/, { kind: "flip", offset: 70_000 });
    fake.fail(/blobs/, { kind: "cut", afterBytes: 5000 });
    fake.fail(/blobs/, { kind: "short", afterBytes: 5000, framing: "chunked" });
    fake.fail(/blobs/, { kind: "extra", bytes: 7, framing: "length" });
    expect(firstDifference(2, 0, await ask())).toBe(70_000);
    await expect(ask()).rejects.toThrow();
    expect(await ask()).toHaveLength(5000);
    expect(await ask()).toHaveLength(100_007);
    expect(digestOf(await ask())).toBe(digest);
  });

  it("holds a connection to its bandwidth", async () => {
    const fake = await start({
      mode: "plain",
      settings: { bandwidth: { registry: 1_000_000, cdn: undefined } },
    });
    const digest = fake.addGeneratedBlob({ seed: 2, size: 300_000 });
    const begunAt = performance.now();
    await (await fetch(`${fake.url}/v2/x/blobs/${digest}`)).arrayBuffer();
    const tookMs = performance.now() - begunAt;
    expect(tookMs).toBeGreaterThan(200);
    expect(tookMs).toBeLessThan(PROMPT_MS);
  });
});
