/** Shows that what was learned from a challenge is asked for anew when it leads to nothing: no restart is needed for it. */
import { describe, expect, it } from "vitest";
import type { FakeRegistry, Fault } from "../../support/fake-registry.ts";
import { askFor, clientOf, startFake, startUpstream } from "../../support/start-upstream.ts";

const users = { alice: "wonderland" };
const alice = { username: "alice", password: "wonderland" };
const REPOSITORIES = ["library/one", "library/two", "library/three"];

async function startHub(settings = {}, overrides = {}) {
  const started = await startUpstream({ mode: "hub", settings: { users, ...settings } }, overrides);
  for (const repository of REPOSITORIES) started.fake.addImage(repository, "1", { layers: [10] });
  const ask = (repository: string) => started.client.headManifest(askFor(repository, "1"));
  return { ...started, ask, askAll: () => Promise.all(REPOSITORIES.map(ask)) };
}

/** The token server is at another address from now on; at the old one nothing good is to be had. */
function moveRealm(fake: FakeRegistry, old: Fault): void {
  fake.settings.realm = `${fake.authUrl}/v3/token`;
  fake.fail(/^\/token/, old, { origin: "auth", times: 1000 });
  fake.revokeTokens();
}

describe.each([
  ["without a login", {}],
  ["with a login", { credentials: alice }],
])("a token server that moved, %s", (_, overrides) => {
  it.each<[string, Fault]>([
    ["is not found", { kind: "status", status: 404 }],
    ["is broken", { kind: "status", status: 503 }],
    ["refuses everybody", { kind: "status", status: 401 }],
    ["forbids everything", { kind: "status", status: 403 }],
    ["limits everybody", { kind: "status", status: 429 }],
    ["answers with a page", { kind: "status", status: 200, body: "<html>moved</html>" }],
    ["hangs up", { kind: "hang-up" }],
    ["redirects to an address that may not be reached", redirectTo("http://169.254.169.254/token")],
    ["redirects to itself", { kind: "redirect-loop" }],
  ])("is found at its new address by the first question, where the old one %s", async (_, old) => {
    const { fake, client, clock, askAll } = await startHub({}, overrides);
    await askAll();
    for (let pass = 0; pass < 2; pass++) {
      moveRealm(fake, old);
      // Refused while it is held, and renewed before it ends.
      clock.aheadMs += pass * 3600_000;
      expect((await askAll()).every((head) => head !== undefined)).toBe(true);
    }
    fake.forgetRequests();
    await askAll();
    expect(fake.matching({ origin: "auth" })).toEqual([]);
    expect(client.status().circuit).toBe("closed");
  });

  it("is found also where its name is gone, or may not be connected to", async () => {
    const { fake, askAll, clock } = await startHub({}, overrides);
    const { authUrl } = fake;
    for (const gone of [authUrl.replace(/:\d+$/, ":1"), "http://gone.invalid"]) {
      fake.settings.realm = `${gone}/token`;
      fake.revokeTokens();
      await Promise.allSettled([askAll()]);
      fake.settings.realm = undefined;
      clock.aheadMs += 60_000;
      expect((await askAll()).every((head) => head !== undefined)).toBe(true);
    }
  });
});

describe("one repository's broken challenge", () => {
  const broken = (realm: string) => ({
    kind: "status" as const,
    status: 401,
    headers: { "www-authenticate": `Bearer realm="${realm}",service="x"` },
  });

  it.each([
    ["that is closed", "http://127.0.0.2:1/token"],
    ["that is no URL", "http://["],
    ["that is not trusted", "http://127.0.0.9/token"],
  ])(
    "names a token server %s: other repositories, and itself once it is mended, are served",
    async (_, realm) => {
      const { fake, ask } = await startHub();
      fake.fail(/library.two/, broken(realm), { times: 1000 });
      for (let pass = 0; pass < 2; pass++) {
        await expect(ask("library/two")).rejects.toMatchObject({ code: expect.any(String) });
        expect(await ask("library/one")).toBeDefined();
        expect(await ask("library/three")).toBeDefined();
      }
      fake.faults.length = 0;
      expect(await ask("library/two")).toBeDefined();
    },
  );

  it("costs others neither a question nor a token", async () => {
    const { fake, ask } = await startHub();
    await ask("library/one");
    fake.fail(/library.two/, broken(`${fake.authUrl}/else`), { times: 1000 });
    await expect(ask("library/two")).rejects.toMatchObject({ code: "not-found" });
    fake.forgetRequests();
    await ask("library/one");
    await ask("library/three");
    expect(fake.requests.map(({ origin, status }) => `${origin} ${status}`)).toEqual([
      "registry 200",
      "auth 200",
      "registry 200",
    ]);
  });
});

describe("a registry that asks for something else than before", () => {
  it.each(["basic", "bearer"] as const)("than %s is answered, though the login held", async (before) => {
    const { fake, askAll } = await startHub({ auth: before }, { credentials: alice });
    await askAll();
    fake.settings.auth = before === "basic" ? "bearer" : "basic";
    expect((await askAll()).every((head) => head !== undefined)).toBe(true);
  });

  it("than for the same service is answered by a token for the new one, also when the old token is a new one", async () => {
    const { fake, clock, askAll } = await startHub();
    await askAll();
    fake.settings.service = "registry.v2";
    clock.aheadMs += 3600_000;
    expect((await askAll()).every((head) => head !== undefined)).toBe(true);
  });

  it("and refuses a new token all the same is not asked in circles", async () => {
    const { fake, client, ask } = await startHub();
    await ask("library/one");
    fake.forgetRequests();
    for (let pass = 0; pass < 3; pass++) {
      await expect(client.headManifest(askFor("library/absent", "1"))).rejects.toMatchObject({
        code: "not-found",
      });
    }
    expect(fake.count()).toBeLessThanOrEqual(9);
  });
});

describe("a token server in trouble", () => {
  it("that limits us for one repository limits no other, and is asked again when it allows", async () => {
    const { fake, clock, ask } = await startHub();
    await ask("library/one");
    const limit = { kind: "rate-limited", retryAfter: "90" } as const;
    fake.fail(/token/, limit, { origin: "auth", times: 4 });
    for (const repository of ["library/two", "library/three", "library/two"]) {
      await expect(ask(repository)).rejects.toMatchObject({ code: "rate-limited" });
      expect(await ask("library/one")).toBeDefined();
    }
    expect(fake.matching({ origin: "auth", status: 429 })).toHaveLength(2);
    fake.faults.length = 0;
    clock.aheadMs += 90_001;
    expect(await ask("library/two")).toBeDefined();
  });

  it("does not take away a token that still holds", async () => {
    const { fake, clock, ask } = await startHub({ tokenExpiresIn: 100 });
    await ask("library/one");
    clock.aheadMs = 95_000;
    fake.fail(/token/, { kind: "status", status: 503 }, { origin: "auth", times: 1000 });
    expect(await ask("library/one")).toBeDefined();
    expect(fake.count({ origin: "registry", status: 401 })).toBe(1);
  });

  it("keeps no connection of the registry's for each failure", async () => {
    const { fake, client } = await startHub();
    fake.fail(/token/, { kind: "status", status: 404 }, { origin: "auth", times: 1000 });
    for (let n = 0; n < 10; n++) await client.headManifest(askFor("library/one", "1")).catch(() => undefined);
    expect(fake.connections).toBeLessThanOrEqual(2);
  });

  it.each(["1e999", "-1", "0", '"soon"', "null", "{}"])(
    "that says expires_in: %s is asked again when its token ends",
    async (expiresIn) => {
      const { fake, clock, ask } = await startHub();
      await ask("library/one");
      const [, token = ""] = String(fake.requests.at(-1)?.headers.authorization).split(" ");
      clock.aheadMs += 3600_000;
      const body = `{"token":"${token}","expires_in":${expiresIn},"issued_at":"2999-01-01T00:00:00Z"}`;
      fake.fail(/token/, { kind: "status", status: 200, body }, { origin: "auth" });
      expect(await ask("library/one")).toBeDefined();
      fake.revokeTokens();
      expect(await ask("library/one")).toBeDefined();
    },
  );
});

it("an upstream whose first endpoint failed goes back to it after a while", async () => {
  const [mirror, origin] = [await startFake({ mode: "plain" }), await startFake({ mode: "plain" })];
  for (const fake of [mirror, origin]) fake.addImage("library/one", "1", { layers: [10] });
  const { client, clock } = clientOf(mirror, { endpoints: [mirror.url, origin.url] });
  const ask = () => client.headManifest(askFor("library/one", "1"));
  mirror.fail(/manifests/, { kind: "status", status: 503 }, { times: 1 });
  for (let n = 0; n < 3; n++) expect(await ask()).toBeDefined();
  expect([mirror.count({ status: 200 }), origin.count()]).toEqual([0, 3]);
  clock.aheadMs += 60_001;
  for (let n = 0; n < 3; n++) expect(await ask()).toBeDefined();
  expect([mirror.count({ status: 200 }), origin.count()]).toEqual([3, 3]);
});

function redirectTo(location: string): Fault {
  return { kind: "redirect", location };
}
