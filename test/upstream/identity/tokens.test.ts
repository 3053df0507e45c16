/** Owns the tests of challenge and token: who is asked, with what, how often (docs/protocol.md#challenges-and-tokens). */
import { describe, expect, it } from "vitest";
import type { UpstreamClient } from "../../../src/upstream/upstream-client.ts";
import { askFor, clientOf, startFake, startUpstream } from "../../support/start-upstream.ts";

/** Absent or private: the registry does not say which, and that is no 404. */
const HIDDEN = { code: "not-found", facts: { upstreamStatus: 401 } };

const users = { alice: "wonderland" };
const alice = { username: "alice", password: "wonderland" };

async function startHub(settings = {}, overrides = {}) {
  const started = await startUpstream({ mode: "hub", settings }, overrides);
  started.fake.addImage("library/alpine", "latest", { layers: [1000] });
  return started;
}

describe("tokens", () => {
  it("answers a challenge with one token request and one repeated request", async () => {
    const { fake, client } = await startHub();
    expect(await client.headManifest(askFor("library/alpine", "latest"))).toBeDefined();
    const seen = fake.requests.map(({ origin, method, status }) => `${origin} ${method} ${status}`);
    expect(seen).toEqual(["registry HEAD 401", "auth GET 200", "registry HEAD 200"]);
  });

  it("uses a token until 90 % of its life and then renews it without asking for a new challenge", async () => {
    const { fake, client, clock } = await startHub({ tokenExpiresIn: 100 });
    const ask = askFor("library/alpine", "latest");
    await client.headManifest(ask);
    clock.aheadMs = 89_000;
    await client.headManifest(ask);
    expect(fake.count({ origin: "auth" })).toBe(1);
    clock.aheadMs = 91_000;
    await client.headManifest(ask);
    expect(fake.count({ origin: "auth" })).toBe(2);
    expect(fake.count({ status: 401 })).toBe(1);
  });

  it("takes a missing expires_in for 60 s", async () => {
    const { fake, client, clock } = await startHub({ tokenExpiresIn: undefined });
    await client.headManifest(askFor("library/alpine", "latest"));
    clock.aheadMs = 53_000;
    await client.headManifest(askFor("library/alpine", "latest"));
    expect(fake.count({ origin: "auth" })).toBe(1);
    clock.aheadMs = 55_000;
    await client.headManifest(askFor("library/alpine", "latest"));
    expect(fake.count({ origin: "auth" })).toBe(2);
  });

  it("shares one token request among requests that overlap", async () => {
    const { fake, client } = await startHub();
    fake.settings.latencyMs.auth = 50;
    const ask = askFor("library/alpine", "latest");
    const heads = await Promise.all(Array.from({ length: 20 }, () => client.headManifest(ask)));
    expect(heads.every((head) => head?.digest !== undefined)).toBe(true);
    expect(fake.count({ origin: "auth" })).toBe(1);
  });

  it("reads the token from either field", async () => {
    const { client } = await startHub({ tokenFields: "access_token" });
    expect(await client.headManifest(askFor("library/alpine", "latest"))).toBeDefined();
  });

  it("never uses one identity's token for another", async () => {
    const { fake, client } = await startHub({ users }, { credentials: alice });
    fake.settings.privateRepositories.add("library/alpine");
    expect(await client.headManifest(askFor("library/alpine", "latest"))).toBeDefined();
    expect(await view(client, "library/alpine")).toBe("closed");
    const identities = fake
      .matching({ origin: "auth" })
      .map(({ headers }) => headers.authorization !== undefined);
    expect(identities).toEqual([true, false]);
  });

  it("keeps tokens of different repositories apart", async () => {
    const { fake, client } = await startHub();
    fake.addImage("library/busybox", "latest", { layers: [10] });
    await client.headManifest(askFor("library/alpine", "latest"));
    await client.headManifest(askFor("library/busybox", "latest"));
    const scopes = fake.matching({ origin: "auth" }).map(({ query }) => query.get("scope"));
    expect(scopes).toEqual(["repository:library/alpine:pull", "repository:library/busybox:pull"]);
  });

  it("sends no credentials to a realm outside the allowed ones, and says so", async () => {
    const { fake, client } = await startHub({ users }, { credentials: alice, realms: [] });
    const failure = client.headManifest(askFor("library/alpine", "latest"));
    await expect(failure).rejects.toMatchObject({
      code: "denied",
      message: expect.stringMatching(
        /127\.0\.0\.2:\d+, which is neither its own domain nor listed in the realms/,
      ),
    });
    expect(fake.count({ origin: "auth" })).toBe(0);
  });

  it("asks a listed realm on another host with the credentials", async () => {
    const { fake, client } = await startHub({ users }, { credentials: alice });
    fake.settings.privateRepositories.add("library/alpine");
    expect(await client.headManifest(askFor("library/alpine", "latest"))).toBeDefined();
    const [token] = fake.matching({ origin: "auth" });
    expect(token?.headers.authorization).toBe(`Basic ${Buffer.from("alice:wonderland").toString("base64")}`);
    expect(token?.query.get("account")).toBe("alice");
  });

  it("drops a held token that is refused and asks once more without it, for a challenge of its own", async () => {
    const { fake, client } = await startHub();
    const other = await startFake({ mode: "hub" });
    await client.headManifest(askFor("library/alpine", "latest"));
    fake.revokeTokens();
    fake.settings.staleRealm = `${other.authUrl}/token`;
    fake.forgetRequests();
    expect(await client.headManifest(askFor("library/alpine", "latest"))).toBeDefined();
    const seen = fake.requests.map(({ origin, headers, status }) => [
      origin,
      "authorization" in headers,
      status,
    ]);
    expect(seen).toEqual([
      ["registry", true, 401],
      ["registry", false, 401],
      ["auth", false, 200],
      ["registry", true, 200],
    ]);
    expect(other.count()).toBe(0);
  });

  it("builds the scope from the repository, pull only, whatever the challenge says", async () => {
    const { fake, client } = await startHub({ challengeScope: "repository:user/image:pull,push" });
    expect(await client.headManifest(askFor("library/alpine", "latest"))).toBeDefined();
    expect(fake.matching({ origin: "auth" })[0]?.query.getAll("scope")).toEqual([
      "repository:library/alpine:pull",
    ]);
  });

  it("takes a 401 after a fresh token for absent or private", async () => {
    const { fake, client } = await startHub();
    await expect(client.headManifest(askFor("library/nothing", "latest"))).rejects.toMatchObject(HIDDEN);
    await expect(client.getManifest(askFor("library/nothing", "latest"))).rejects.toMatchObject(HIDDEN);
    expect(await client.headManifest(askFor("library/alpine", "nothing"))).toBeUndefined();
    expect(fake.count({ repository: "library/nothing" })).toBeLessThanOrEqual(4);
  });

  it("takes an anonymous token's refusal for absent or private, as ghcr.io means it", async () => {
    const { fake, client } = await startHub();
    fake.fail(/token/, { kind: "status", status: 403 });
    await expect(client.headManifest(askFor("library/alpine", "latest"))).rejects.toMatchObject(HIDDEN);
  });

  it("says that the credentials are refused when they are", async () => {
    const wrong = { username: "alice", password: "looking-glass" };
    const { client } = await startHub({ users }, { credentials: wrong });
    await expect(client.headManifest(askFor("library/alpine", "latest"))).rejects.toMatchObject({
      code: "unauthorized",
      message: expect.stringContaining("refused the configured credentials"),
    });
  });

  it("answers a Basic challenge at the upstream's own endpoint, and tells a wrong password", async () => {
    const { fake, client } = await startHub({ auth: "basic", users }, { credentials: alice });
    expect(await client.headManifest(askFor("library/alpine", "latest"))).toBeDefined();
    await client.headManifest(askFor("library/alpine", "latest"));
    expect(fake.requests.map(({ status }) => status)).toEqual([401, 200, 200]);

    const { client: stranger } = clientOf(fake, { credentials: { username: "alice", password: "no" } });
    await expect(stranger.headManifest(askFor("library/alpine", "latest"))).rejects.toMatchObject({
      code: "unauthorized",
    });
  });

  it("refuses a token answer of more than 128 KB", async () => {
    const { fake, client } = await startHub();
    fake.fail(/token/, { kind: "status", status: 200, body: `{"token":"${"x".repeat(200_000)}"}` });
    await expect(client.headManifest(askFor("library/alpine", "latest"))).rejects.toMatchObject({
      code: "upstream-protocol",
    });
  });

  it("tells public content from private by an anonymous request", async () => {
    const { fake, client } = await startHub({ users }, { credentials: alice });
    fake.addImage("alice/secret", "latest", { layers: [10] });
    fake.settings.privateRepositories.add("alice/secret");
    expect(await view(client, "library/alpine")).toBe("open");
    expect(await view(client, "alice/secret")).toBe("closed");
    expect(await view(clientOf(fake).client, "alice/secret")).toBe("open");
    await fake.pause();
    // What the token of a moment ago said still holds; who has none cannot tell.
    expect(await view(client, "library/alpine")).toBe("granted");
    const { client: fresh } = clientOf(fake, { credentials: alice });
    await expect(view(fresh, "library/alpine")).rejects.toMatchObject({
      code: "upstream-unavailable",
    });
  });
});

async function view(client: UpstreamClient, repository: string) {
  return (await client.viewAnonymously({ repository, by: { manifest: "latest" } })).view;
}
