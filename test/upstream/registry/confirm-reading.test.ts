/** Shows what counts as a registry's word that a client may read something, and where that client's login goes: to the registry alone. */
import { describe, expect, it, test } from "vitest";
import { isDigest } from "../../../src/oci/digest.ts";
import { MANIFEST_UNION } from "../../../src/oci/media-types.ts";
import type { ReadingAsk } from "../../../src/upstream/upstream-client.ts";
import type { Fault } from "../../support/fake-registry.ts";
import { PROMPT_MS } from "../../support/patience.ts";
import { startUpstream } from "../../support/start-upstream.ts";

const REPOSITORY = "team/app";
const SHOWN = `Basic ${Buffer.from("ann:anns secret").toString("base64")}`;
const WRONG = `Basic ${Buffer.from("ann:no secret").toString("base64")}`;

async function startRegistry(
  settings: Parameters<typeof startUpstream>[0]["settings"] = {},
  upstream: Parameters<typeof startUpstream>[1] = {},
) {
  const own = { username: "granary", password: "hunter2" };
  const users = { ann: "anns secret", granary: own.password };
  const privateRepositories = new Set([REPOSITORY]);
  const world = await startUpstream(
    { mode: "plain", settings: { auth: "basic", users, privateRepositories, ...settings } },
    { credentials: own, aliases: ["127.0.0.1"], ...upstream },
  );
  const image = world.fake.addImage(REPOSITORY, "1", { layers: [100] });
  const [layer = ""] = image.layerDigests;
  if (!isDigest(layer)) throw new Error("an image has layers");
  const asks = {
    tag: { kind: "manifest", repository: REPOSITORY, reference: "1", accept: MANIFEST_UNION },
    manifest: {
      kind: "manifest",
      repository: REPOSITORY,
      reference: image.manifestDigest,
      accept: MANIFEST_UNION,
    },
    blob: { kind: "blob", repository: REPOSITORY, digest: layer },
    tags: { kind: "tags", repository: REPOSITORY, query: "n=5" },
    referrers: { kind: "referrers", repository: REPOSITORY, digest: image.manifestDigest },
  } as const satisfies Record<string, ReadingAsk>;
  return { ...world, image, layer, asks };
}

type Kind = keyof Awaited<ReturnType<typeof startRegistry>>["asks"];
const KINDS: readonly Kind[] = ["tag", "manifest", "blob", "tags", "referrers"];

describe.each(KINDS)("a client that asks for %s", (kind) => {
  it("may read it when the registry gives it for what the client shows, by one question", async () => {
    const { client, fake, image, asks } = await startRegistry();
    const reading = await client.confirmReading(asks[kind], SHOWN);
    expect(reading.mayRead).toBe(true);
    expect(reading.digest).toBe(kind === "tag" || kind === "manifest" ? image.manifestDigest : undefined);
    expect(fake.requests.map(({ headers }) => headers.authorization)).toEqual([SHOWN]);
  });

  it.each([401, 403, 404])("may not when the registry says %i", async (status) => {
    const { client, fake, asks } = await startRegistry();
    fake.fail(/./, { kind: "status", status }, { times: 9 });
    expect(await client.confirmReading(asks[kind], SHOWN)).toEqual({ mayRead: false });
  });

  it("may not with a login that is wrong", async () => {
    const { client, asks } = await startRegistry();
    expect(await client.confirmReading(asks[kind], WRONG)).toEqual({ mayRead: false });
  });

  const login = "<!doctype html><title>Sign in</title>";
  it.each<[string, Fault]>([
    [
      "a page to sign in",
      { kind: "status", status: 200, body: login, headers: { "content-type": "text/html" } },
    ],
    ["a redirect to nowhere", { kind: "status", status: 302 }],
    ["a failure", { kind: "status", status: 500 }],
    ["an answer that says nothing", { kind: "status", status: 204 }],
    ["no answer", { kind: "hang-up" }],
  ])("is told neither by %s", async (_, fault) => {
    const { client, fake, asks } = await startRegistry();
    fake.fail(/./, fault, { times: 99 });
    await expect(client.confirmReading(asks[kind], SHOWN)).rejects.toMatchObject({
      code: expect.stringMatching(/^upstream-/),
    });
  });

  it("is told neither by a redirect to a page to sign in, which never hears of the login", async () => {
    const { client, fake, asks } = await startRegistry();
    const location = `${fake.cdnUrl}/login`;
    const headers = { "content-type": "text/html" };
    fake.fail(/login/, { kind: "status", status: 200, body: login, headers }, { times: 99 });
    fake.fail(/v2/, { kind: "redirect", location, status: 302 }, { times: 99 });
    await expect(client.confirmReading(asks[kind], SHOWN)).rejects.toMatchObject({
      code: "upstream-protocol",
    });
    expect(fake.violations).toEqual([]);
  });

  it("is limited by the registry alone: no other client is, nor are we", async () => {
    const { client, fake, asks } = await startRegistry();
    const others = `Basic ${Buffer.from("granary:hunter2").toString("base64")}`;
    fake.fail(
      ({ headers }) => headers.authorization === SHOWN,
      { kind: "rate-limited", retryAfter: "60" },
      { times: 9 },
    );
    await expect(client.confirmReading(asks[kind], SHOWN)).rejects.toMatchObject({
      code: "rate-limited",
      facts: { retryAfterMs: 60_000 },
    });
    expect((await client.confirmReading(asks[kind], others)).mayRead).toBe(true);
    expect(client.status().circuit).toBe("closed");
    expect(await client.headManifest({ ...asks.tag, userAgent: undefined })).toBeDefined();
  });

  it("costs nothing while the upstream was set offline", async () => {
    const { client, fake, asks } = await startRegistry();
    client.setOffline(Date.now());
    await expect(client.confirmReading(asks[kind], SHOWN)).rejects.toMatchObject({
      code: "upstream-unavailable",
    });
    expect(fake.requests).toEqual([]);
  });
});

describe("a blob to which the registry sends clients", () => {
  it.each(["direct", "redirect"] as const)(
    "may be read when that leads to the blob, and its host hears of no login (HEAD: %s)",
    async (headBlob) => {
      const { client, fake, asks } = await startRegistry({ getBlob: "redirect", headBlob });
      expect(await client.confirmReading(asks.blob, SHOWN)).toEqual({ mayRead: true });
      expect(fake.violations).toEqual([]);
      expect(fake.bytesSentFor(asks.blob.digest)).toBeLessThan(2);
    },
  );

  it("may be read where that host wants a GET, of which one byte comes in", async () => {
    const { client, fake, asks } = await startRegistry({ getBlob: "redirect", headBlob: "redirect" });
    fake.fail(/./, { kind: "status", status: 403 }, { method: "HEAD", origin: "cdn", times: 9 });
    expect(await client.confirmReading(asks.blob, SHOWN)).toEqual({ mayRead: true });
    expect(fake.bytesSentFor(asks.blob.digest)).toBe(1);
  });

  it("may not be read when the registry refuses the login before that", async () => {
    const { client, asks } = await startRegistry({ getBlob: "redirect", headBlob: "redirect" });
    expect(await client.confirmReading(asks.blob, WRONG)).toEqual({ mayRead: false });
  });
});

test("a registry that has no HEAD of manifests is asked by GET", async () => {
  const { client, fake, asks, image } = await startRegistry();
  fake.fail(/./, { kind: "status", status: 405 }, { method: "HEAD", times: 9 });
  expect(await client.confirmReading(asks.tag, SHOWN)).toEqual({
    mayRead: true,
    digest: image.manifestDigest,
  });
});

test("while our own questions show that the registry is away, no client has to find out again", async () => {
  const { client, fake, asks } = await startRegistry();
  await fake.pause();
  await expect(client.headManifest({ ...asks.tag, userAgent: undefined })).rejects.toThrow();
  await expect.poll(() => client.status().openBecause, { timeout: PROMPT_MS }).toBe("away");
  const begun = performance.now();
  await expect(client.confirmReading(asks.tag, SHOWN)).rejects.toMatchObject({
    code: "upstream-unavailable",
  });
  expect(performance.now() - begun).toBeLessThan(PROMPT_MS);
});

it("an endpoint that has no name of the upstream hears of no client's login: it may be somebody's mirror", async () => {
  const { client, fake, asks } = await startRegistry({}, { aliases: ["registry.example"] });
  expect(await client.confirmReading(asks.tag, SHOWN)).toEqual({ mayRead: false });
  expect(fake.requests).toEqual([]);
});
