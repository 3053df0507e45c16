/** Shows how identity tokens buy tokens (OAuth2 of the token specification), and where they never go. */
import { describe, expect, it, test } from "vitest";
import { askFor, clientOf, startUpstream } from "../../support/start-upstream.ts";

/** Absent or private: the registry does not say which, and that is no 404. */
const HIDDEN = { code: "not-found", facts: { upstreamStatus: 401 } };

const credentials = { identityToken: "refresh-1", rule: "the test" };
const ask = askFor("library/secret", "latest");

async function startHub(settings = {}, overrides = {}) {
  const started = await startUpstream(
    { mode: "hub", settings: { identityTokens: { "refresh-1": "alice", "refresh-2": "bob" }, ...settings } },
    { credentials, ...overrides },
  );
  started.fake.addImage("library/secret", "latest", { layers: [10] });
  started.fake.settings.privateRepositories.add("library/secret");
  return started;
}

describe("an identity token", () => {
  it("buys a token by the OAuth2 POST, in the body and nowhere else", async () => {
    const { fake, client } = await startHub();
    expect(await client.headManifest(ask)).toBeDefined();
    const [token, ...others] = fake.matching({ origin: "auth" });
    expect(others).toEqual([]);
    expect(token).toMatchObject({ method: "POST", path: "/token", status: 200 });
    expect(token?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect(Object.fromEntries(token?.form ?? [])).toEqual({
      grant_type: "refresh_token",
      client_id: "granary",
      service: "fake.registry",
      scope: "repository:library/secret:pull",
      refresh_token: "refresh-1",
    });
    expect(String(token?.query)).toBe("");
    const elsewhere = fake.requests.filter(({ origin }) => origin !== "auth");
    expect(JSON.stringify(elsewhere)).not.toContain("refresh-1");
  });

  test.each([404, 405])("is a password where the token server answers %i to a POST", async (status) => {
    const users = { "<token>": "refresh-1", alice: "refresh-1" };
    const { fake, client } = await startHub({ users });
    fake.faults.push({ match: /token/, origin: "auth", times: 1, fault: { kind: "status", status } });
    expect(await client.headManifest(ask)).toBeDefined();
    const [, get] = fake.matching({ origin: "auth" });
    expect(get).toMatchObject({ method: "GET", status: 200 });
    expect(get?.headers.authorization).toBe(`Basic ${Buffer.from("<token>:refresh-1").toString("base64")}`);

    const named = clientOf(fake, { credentials: { ...credentials, username: "alice" } });
    fake.faults.push({ match: /token/, origin: "auth", times: 1, fault: { kind: "status", status } });
    expect(await named.client.headManifest(ask)).toBeDefined();
    expect(fake.matching({ origin: "auth" }).at(-1)?.query.get("account")).toBe("alice");
  });

  it("that is refused is unauthorized, with its rule and without its text", async () => {
    const { client } = await startHub({}, { credentials: { ...credentials, identityToken: "revoked-1" } });
    const failure = await client.headManifest(ask).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "unauthorized",
      message: expect.stringMatching(/refused the credentials from the test \(401\)/),
    });
    expect(String(failure) + JSON.stringify(failure)).not.toContain("revoked-1");
  });

  it("is not sent to a realm outside the allowed ones", async () => {
    const { fake, client } = await startHub({}, { realms: [] });
    await expect(client.headManifest(ask)).rejects.toMatchObject({ code: "denied" });
    expect(fake.count({ origin: "auth" })).toBe(0);
  });

  test.each([302, 307, 308])("does not follow a %i of the token server to another host", async (status) => {
    const { fake, client } = await startHub();
    const location = `${fake.cdnUrl}/token`;
    fake.faults.push({
      match: /token/,
      origin: "auth",
      times: 1,
      fault: { kind: "redirect", status, location },
    });
    await expect(client.headManifest(ask)).rejects.toMatchObject({
      code: "denied",
      message: expect.stringContaining("the identity token was not sent there"),
    });
    expect(fake.count({ origin: "cdn" })).toBe(0);
  });

  it("follows a 307 inside the token server", async () => {
    const { fake, client } = await startHub();
    const location = `${fake.authUrl}/elsewhere/token`;
    fake.faults.push({ match: /^\/token/, origin: "auth", times: 1, fault: { kind: "redirect", location } });
    expect(await client.headManifest(ask)).toBeDefined();
    expect(fake.matching({ origin: "auth" }).map(({ path }) => path)).toEqual(["/token", "/elsewhere/token"]);
  });
});

describe("tokens of several identities", () => {
  it("are kept apart when the look-up's answer differs by repository", async () => {
    const lookUp = async ({ repository }: { repository: string }) => ({
      credentials: repository === "library/secret" ? credentials : undefined,
      says: "",
    });
    const { fake, client } = await startHub({}, { credentials: lookUp });
    fake.addImage("library/open", "latest", { layers: [10] });
    await client.headManifest(ask);
    await client.headManifest(askFor("library/open", "latest"));
    expect(fake.matching({ origin: "auth" }).map(({ method }) => method)).toEqual(["POST", "GET"]);
  });

  it("are kept apart when one rule has a new login: the old one's token is not used for it", async () => {
    let now: { identityToken: string; rule: string } | undefined = credentials;
    const lookUp = async () => ({ credentials: now, says: "" });
    const { fake, client } = await startHub({}, { credentials: lookUp });
    await client.headManifest(ask);
    now = { ...credentials, identityToken: "refresh-2" };
    await client.headManifest(ask);
    now = undefined;
    await expect(client.headManifest(ask)).rejects.toMatchObject(HIDDEN);
    now = credentials;
    await client.headManifest(ask);
    const bought = fake.matching({ origin: "auth" }).map(({ form }) => form?.get("refresh_token"));
    expect(bought).toEqual(["refresh-1", "refresh-2", undefined]);
  });
});

describe("a registry token", () => {
  it("goes to the endpoint as it is, at once, and to no other host", async () => {
    const { fake, client } = await startHub({ users: { alice: "wonderland" } });
    const registryToken = await tokenOf(fake.authUrl, "library/secret");
    const digest = fake.addGeneratedBlob({ seed: 1, size: 100 }, "library/secret");
    fake.forgetRequests();
    const { client: holder } = clientOf(fake, { credentials: { registryToken } });
    expect(await holder.headManifest(ask)).toBeDefined();
    const signal = new AbortController().signal;
    const opened = await holder.blobOrigin("library/secret", digest).open({ start: 0, end: 100 }, signal);
    opened.dismiss();
    const seen = fake.requests.map(({ origin, headers }) => [origin, headers.authorization]);
    expect(seen).toEqual([
      ["registry", `Bearer ${registryToken}`],
      ["registry", `Bearer ${registryToken}`],
      ["cdn", undefined],
    ]);
    expect(await client.headManifest(ask)).toBeDefined();
  });

  it("that is refused is unauthorized, with its rule and without its text", async () => {
    const { fake, client } = await startHub(
      {},
      { credentials: { registryToken: "ended-1", rule: "the test" } },
    );
    const failure = await client.headManifest(ask).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "unauthorized",
      message: expect.stringMatching(/refused the credentials from the test \(401\): the token has ended/),
    });
    expect(String(failure) + JSON.stringify(failure)).not.toContain("ended-1");
    expect(fake.count({ origin: "auth" })).toBe(0);
  });
});

it("a 403 says with which credentials was asked; one of another host does not", async () => {
  const { fake, client } = await startHub();
  fake.fail(/manifests/, { kind: "status", status: 403 });
  await expect(client.headManifest(ask)).rejects.toMatchObject({
    code: "denied",
    message: expect.stringContaining("answered 403. It was asked for with the credentials from the test."),
  });
  const anonymous = clientOf(fake, { credentials: undefined });
  fake.fail(/manifests/, { kind: "status", status: 403 });
  await expect(anonymous.client.headManifest(ask)).rejects.toMatchObject({
    message: expect.stringContaining("answered 403. No credentials are configured for fake.test."),
  });
  fake.settings.headBlob = "redirect";
  fake.faults.push({ match: /./, origin: "cdn", times: 2, fault: { kind: "status", status: 403 } });
  const digest = fake.addGeneratedBlob({ seed: 1, size: 100 }, "library/secret");
  await expect(client.headBlob("library/secret", digest)).rejects.toMatchObject({
    message: expect.stringMatching(/answered 403\.$/),
  });
});

it("the end of a transfer ends its wait for a look-up", async () => {
  const never = () => new Promise<never>(() => undefined);
  const { fake, client } = await startHub({}, { credentials: never });
  const controller = new AbortController();
  const origin = client.blobOrigin("library/secret", fake.addGeneratedBlob({ seed: 1, size: 1 }));
  const opening = origin.open({ start: 0, end: 1 }, controller.signal);
  controller.abort();
  await expect(opening).rejects.toMatchObject({ code: "aborted" });
});

async function tokenOf(authUrl: string, repository: string): Promise<string> {
  const headers = { authorization: `Basic ${Buffer.from("alice:wonderland").toString("base64")}` };
  const url = `${authUrl}/token?service=fake.registry&scope=repository:${repository}:pull`;
  const { token } = (await (await fetch(url, { headers })).json()) as { token: string };
  return token;
}
