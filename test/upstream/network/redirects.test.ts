/** Owns the tests of redirects: what travels along, where they may lead, and how many are followed. */
import { describe, expect, it } from "vitest";
import { readRange } from "../../support/read-range.ts";
import { askFor, clientOf, startFake, startUpstream } from "../../support/start-upstream.ts";
import { caPem, serverCert, serverKey } from "../../support/throwaway-tls.ts";

/** Absent or private: the registry does not say which, and that is no 404. */
const HIDDEN = { code: "not-found", facts: { upstreamStatus: 401 } };

const SIZE = 100_000;
const alice = { username: "alice", password: "wonderland" };

async function startHub(settings = {}) {
  const started = await startUpstream(
    { mode: "hub", settings: { users: { alice: "wonderland" }, ...settings } },
    { credentials: alice },
  );
  const digest = started.fake.addGeneratedBlob({ seed: 3, size: SIZE });
  started.fake.addImage("library/alpine", "latest", { layers: [1000] });
  return { ...started, digest, origin: started.client.blobOrigin("library/alpine", digest) };
}

describe("redirects", () => {
  it.each([301, 302, 303, 307, 308])("follows a %i to the CDN without Authorization", async (status) => {
    const { fake, origin } = await startHub({ redirectStatus: status });
    expect(await readRange(origin, { start: 10, end: 500 })).toHaveLength(490);
    expect(fake.violations).toEqual([]);
    expect(fake.matching({ origin: "registry", status })).toHaveLength(1);
    const [cdn] = fake.matching({ origin: "cdn" });
    expect(cdn?.method).toBe("GET");
    expect(cdn?.range).toBe("bytes=10-499");
    expect(cdn?.headers).not.toHaveProperty("cookie");
  });

  it("never puts Authorization back on when a redirect returns to the first origin", async () => {
    const { fake, client } = await startHub();
    const other = await startFake({ mode: "plain" });
    await client.headManifest(askFor("library/alpine", "latest"));
    fake.forgetRequests();
    fake.fail(/alpine\/manifests/, { kind: "redirect", location: `${other.url}/v2/x/manifests/y` });
    other.fail(/manifests/, {
      kind: "redirect",
      location: `${fake.url}/v2/library/alpine/manifests/latest?back`,
    });
    await expect(client.headManifest(askFor("library/alpine", "latest"))).rejects.toMatchObject(HIDDEN);
    const [first, back] = fake.matching({ origin: "registry" });
    expect(first?.headers).toHaveProperty("authorization");
    expect(back?.query.has("back")).toBe(true);
    expect(back?.headers).not.toHaveProperty("authorization");
    expect(other.requests[0]?.headers).not.toHaveProperty("authorization");
    const basic = fake
      .matching({ origin: "auth" })
      .filter(({ headers }) => headers.authorization !== undefined);
    expect(basic).toEqual([]);
  });

  it("never sends a name and password that a Location carries", async () => {
    const { fake, client } = await startHub();
    const other = await startFake({ mode: "plain" });
    const { host } = new URL(other.url);
    const location = `http://mallory:secret@${host}/v2/x/manifests/y`;
    fake.fail(/manifests/, { kind: "redirect", location }, { times: 2 });
    await client.headManifest(askFor("library/alpine", "latest"));
    expect(other.requests[0]?.headers).not.toHaveProperty("authorization");
  });

  it("follows a manifest to another host, as registry.k8s.io sends it", async () => {
    const regional = await startFake({ mode: "plain" });
    const { manifestDigest } = regional.addImage("prod/images/pause", "3.9", { layers: [10] });
    const { fake, client } = await startUpstream({ mode: "plain" });
    const location = `${regional.url}/v2/prod/images/pause/manifests/3.9`;
    fake.fail(/pause\/manifests/, { kind: "redirect", location }, { times: 2 });
    expect((await client.headManifest(askFor("pause", "3.9")))?.digest).toBe(manifestDigest);
    expect((await client.getManifest(askFor("pause", "3.9")))?.digest).toBe(manifestDigest);
  });

  it("answers the challenge of a redirected host anonymously, as lscr.io needs for ghcr.io", async () => {
    const ghcr = await startFake({ mode: "hub" });
    const { manifestDigest } = ghcr.addImage("linuxserver/x", "1", { layers: [10] });
    ghcr.settings.realm = `${ghcr.url}/token`;
    // One host for registry and tokens, as at ghcr.io: hand its token requests to the fake's own token server.
    ghcr.fail(/^\/token/, {
      kind: "redirect",
      location: (request) => `${ghcr.authUrl}/token?${request.query}`,
    });
    const { fake, client } = await startUpstream({ mode: "plain" }, { credentials: alice });
    const location = `${ghcr.url}/v2/linuxserver/x/manifests/1`;
    fake.fail(/manifests/, { kind: "redirect", location });
    expect((await client.headManifest(askFor("linuxserver/x", "1")))?.digest).toBe(manifestDigest);
    const basic = ghcr.requests.filter(({ headers }) => headers.authorization?.startsWith("Basic"));
    expect(basic).toEqual([]);
  });

  it("asks no token for a redirected host whose realm is a stranger's", async () => {
    const other = await startFake({ mode: "hub" });
    other.addImage("library/x", "1", { layers: [10] });
    const { fake, client } = await startUpstream({ mode: "plain" }, { credentials: alice });
    fake.fail(/manifests/, { kind: "redirect", location: `${other.url}/v2/library/x/manifests/1` });
    await expect(client.headManifest(askFor("library/x", "1"))).rejects.toMatchObject(HIDDEN);
    expect(other.count({ origin: "auth" })).toBe(0);
  });

  it("goes back to the registry for a new link when the remembered one has expired, at the same offset", async () => {
    const { fake, origin } = await startHub({ signedForMs: 10_000 });
    await readRange(origin, { start: 0, end: 1000 });
    await readRange(origin, { start: 1000, end: 2000 });
    expect(fake.count({ origin: "registry", kind: "blob", status: 307 })).toBe(1);
    fake.advance(11_000);
    await readRange(origin, { start: 2000, end: 3000 });
    expect(fake.count({ origin: "registry", kind: "blob", status: 307 })).toBe(2);
    const statuses = fake.matching({ origin: "cdn" }).map(({ status, range }) => [status, range]);
    expect(statuses.slice(-2)).toEqual([
      [403, "bytes=2000-2999"],
      [206, "bytes=2000-2999"],
    ]);
  });

  it.each([400, 403])("resolves a link again when it is refused with %i at first use", async (status) => {
    const { fake, origin } = await startHub();
    fake.fail(/blobs/, { kind: "status", status, body: "<Error/>" }, { origin: "cdn" });
    expect(await readRange(origin, { start: 5, end: 10 })).toHaveLength(5);
    expect(fake.count({ origin: "registry", kind: "blob", status: 307 })).toBe(2);
  });

  it("gives up on links that are refused again, as a passing trouble", async () => {
    const { fake, origin } = await startHub();
    fake.fail(/blobs/, { kind: "status", status: 403 }, { origin: "cdn", times: 2 });
    await expect(readRange(origin, { start: 0, end: 10 })).rejects.toMatchObject({
      code: "upstream-unavailable",
      facts: { upstreamStatus: 403 },
    });
  });

  it("forgets a remembered link after a minute", async () => {
    const { fake, origin, clock } = await startHub();
    await readRange(origin, { start: 0, end: 10 });
    clock.aheadMs = 61_000;
    await readRange(origin, { start: 0, end: 10 });
    expect(fake.count({ origin: "registry", kind: "blob", status: 307 })).toBe(2);
  });

  it("asks the registry again when the remembered host is gone", async () => {
    const { fake, origin } = await startHub();
    await readRange(origin, { start: 0, end: 10 });
    fake.fail(/blobs/, { kind: "reset" }, { origin: "cdn" });
    expect(await readRange(origin, { start: 10, end: 20 })).toHaveLength(10);
  });

  it("follows ten redirects of every kind, whatever their Location looks like", async () => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    const { manifestDigest } = fake.addImage("x", "last", { layers: [1] });
    const at = (name: string) => `/v2/x/manifests/${name}`;
    const port = new URL(fake.url).host;
    const hops: readonly (readonly [number, string])[] = [
      [301, at("2")],
      [302, `${fake.url}${at("3")}`],
      [303, "4"],
      [307, `./5#a-fragment`],
      [308, `//${port}${at("6")}?a=b`],
      [307, `../manifests/7`],
      [307, `http://somebody:secret@${port}${at("8")}`],
      [307, `${at("9")}?q=é☃`],
      [307, `${at("10")}?q=one two`],
      [302, at("last")],
    ];
    hops.forEach(([status, location], hop) => {
      const head = () => `HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`;
      fake.fail(new RegExp(`/manifests/${hop + 1}$`), { kind: "raw", head });
    });
    expect((await client.headManifest(askFor("x", "1")))?.digest).toBe(manifestDigest);
    expect(fake.requests.map(({ query }) => query.get("q")).filter(Boolean)).toEqual(["é☃", "one two"]);
    expect(fake.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  });

  it("ends a redirect loop after ten hops", async () => {
    const { fake, client } = await startHub();
    fake.fail(/alpine\/manifests/, { kind: "redirect-loop" }, { times: Number.POSITIVE_INFINITY });
    await expect(client.headManifest(askFor("library/alpine", "latest"))).rejects.toMatchObject({
      code: "upstream-protocol",
      message: expect.stringContaining("more than 10 redirects"),
    });
    expect(fake.count({ kind: "manifest" })).toBe(11);
  });

  it("refuses a redirect without a usable Location", async () => {
    const { fake, client } = await startHub();
    fake.fail(/alpine\/manifests/, { kind: "status", status: 307 });
    await expect(client.headManifest(askFor("library/alpine", "latest"))).rejects.toMatchObject({
      code: "upstream-protocol",
    });
  });

  it("refuses to go from https to http", async () => {
    const plain = await startFake({ mode: "plain" });
    const secure = await startFake({ mode: "plain", tls: { cert: serverCert, key: serverKey } });
    const { client } = clientOf(secure, {}, { tls: { ca: caPem } });
    secure.fail(/manifests/, { kind: "redirect", location: `${plain.url}/v2/x/manifests/y` });
    await expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({ code: "denied" });
    expect(plain.count()).toBe(0);
  });

  it.each(["ftp://127.0.0.1/x", "file:///etc/passwd"])("refuses a redirect to %s", async (location) => {
    const { fake, client } = await startUpstream({ mode: "plain" });
    fake.fail(/manifests/, { kind: "redirect", location });
    await expect(client.headManifest(askFor("x", "y"))).rejects.toMatchObject({ code: "denied" });
  });
});
