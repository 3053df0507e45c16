/** Shows the order of credentials for a Source over registries, what an error says of them, and that they never go astray. */
import { describe, expect, it, onTestFinished, test } from "vitest";
import { loadSettings } from "../../src/config/load.ts";
import { foregroundClock } from "../../src/observe/clock.ts";
import type { Credentials } from "../../src/oci/credentials.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { openSource, type SourceOptions } from "../../src/open.ts";
import type { FakeMode, FakeRegistry, FakeSettings } from "../support/fake-registry.ts";
import { base64, DOCKER_CONFIG, type LoginHome, loginHome } from "../support/logins.ts";
import { startFake } from "../support/start-upstream.ts";

const PASSWORD = "wonderland-s3cret";
const alice = { username: "alice", password: PASSWORD };
const aliceBasic = `Basic ${base64(`alice:${PASSWORD}`)}`;

/** A registry with users and one private repository. */
async function startPrivate(
  mode: FakeMode = "hub",
  settings: Partial<FakeSettings> = {},
): Promise<FakeRegistry> {
  const privateRepositories = new Set(["org/secret"]);
  const users = { alice: PASSWORD, bob: "builder" };
  const fake = await startFake({ mode, settings: { users, privateRepositories, ...settings } });
  fake.addImage("org/secret", "1", { layers: [10] });
  return fake;
}

type Extra = Partial<SourceOptions> & { readonly config?: string };

async function sourceOf(home: LoginHome, fake: FakeRegistry, { config, ...options }: Extra = {}) {
  // The fake's token server has an address of its own, which only a setting can make trusted.
  const realms = `upstreams: {"${fake.host}": {endpoints: ["${fake.url}"], internal: true, realms: [127.0.0.2]}}`;
  const settings = await loadSettings(await home.write("granary.yaml", config ?? realms), home.env);
  const source = openSource({ settings, env: home.env, clock: foregroundClock, ...options });
  onTestFinished(() => source.close());
  return source;
}

function secretOf({ host }: FakeRegistry) {
  return parseReference(`${host}/org/secret:1`);
}

/** Every Authorization that the registry and its token server saw, without the tokens that were bought. */
function sentTo(fake: FakeRegistry): string[] {
  const all = fake.requests.map(({ headers }) => headers.authorization);
  return all.filter((each) => each !== undefined && !each.startsWith("Bearer fake-token-")).map(String);
}

describe("credentials are taken in this order", () => {
  it("given ones, the configuration's, the files', none", async () => {
    const fake = await startPrivate("plain", { auth: "basic" });
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, { auths: { [fake.host]: { auth: base64("bob:builder") } } });
    const endpoint = `endpoints: ["${fake.url}"], internal: true`;
    const env = { ...home.env, SECRET: PASSWORD };
    const config = `upstreams: {"${fake.host}": {${endpoint}, username: alice, password: "\${SECRET}"}}`;
    const settings = await loadSettings(await home.write("granary.yaml", config), env);
    const bare = await loadSettings(undefined, {});
    const ask = async (options: Pick<SourceOptions, "settings"> & Partial<SourceOptions>) => {
      fake.forgetRequests();
      const source = openSource({ env, clock: foregroundClock, ...options });
      await source.manifest(secretOf(fake)).finally(() => source.close());
      return sentTo(fake);
    };
    const bobBasic = `Basic ${base64("bob:builder")}`;
    expect(await ask({ settings, credentials: { username: "bob", password: "builder" } })).toEqual([
      bobBasic,
    ]);
    expect(await ask({ settings })).toEqual([aliceBasic]);
    expect(await ask({ settings: bare })).toEqual([bobBasic]);
    await home.write(DOCKER_CONFIG, {});
    await expect(ask({ settings: bare })).rejects.toMatchObject({ code: "unauthorized" });
    expect(sentTo(fake)).toEqual([]);
  });

  test.each<[string, Credentials]>([
    ["a password", alice],
    ["an identity token", { identityToken: "refresh-1" }],
  ])("given %s", async (_, credentials) => {
    const fake = await startPrivate("hub", { identityTokens: { "refresh-1": "alice" } });
    const source = await sourceOf(await loginHome(), fake, { credentials });
    expect((await source.manifest(secretOf(fake))).bytes.length).toBeGreaterThan(0);
  });

  test.each<[string, (home: LoginHome, host: string) => Promise<unknown>]>([
    [
      "auths of docker",
      (home, host) => home.write(DOCKER_CONFIG, { auths: { [host]: { auth: base64(`alice:${PASSWORD}`) } } }),
    ],
    [
      "auth.json of podman, for a namespace",
      (home, host) => {
        home.env.XDG_RUNTIME_DIR = home.path("run");
        const auths = { [`${host}/org`]: { auth: base64(`alice:${PASSWORD}`) } };
        return home.write("run/containers/auth.json", { auths });
      },
    ],
    [
      "an identity token of docker",
      (home, host) =>
        home.write(DOCKER_CONFIG, {
          auths: { [host]: { auth: base64("alice:"), identitytoken: "refresh-1" } },
        }),
    ],
    [
      "a helper of credHelpers",
      async (home, host) => {
        await home.addHelper("lab", `echo '{"Username":"alice","Secret":"${PASSWORD}"}'`);
        await home.write(DOCKER_CONFIG, { credHelpers: { [host]: "lab" } });
      },
    ],
    [
      "an identity token of a credsStore",
      async (home) => {
        await home.addHelper("lab", `echo '{"Username":"<token>","Secret":"refresh-1"}'`);
        await home.write(DOCKER_CONFIG, { credsStore: "lab" });
      },
    ],
  ])("from files: %s", async (_, prepare) => {
    const fake = await startPrivate("hub", { identityTokens: { "refresh-1": "alice" } });
    const home = await loginHome();
    await prepare(home, fake.host);
    const source = await sourceOf(home, fake);
    expect((await source.manifest(secretOf(fake))).bytes.length).toBeGreaterThan(0);
    expect(fake.violations).toEqual([]);
  });

  it("none: the anonymous bearer dance", async () => {
    const fake = await startPrivate();
    fake.addImage("org/open", "1", { layers: [10] });
    const source = await sourceOf(await loginHome(), fake);
    const { digest } = await source.headManifest(parseReference(`${fake.host}/org/open:1`));
    expect(digest).toMatch(/^sha256:/);
    expect(fake.matching({ origin: "auth" }).map(({ headers }) => headers.authorization)).toEqual([
      undefined,
    ]);
  });

  it("a login made while the Source is open counts", async () => {
    const fake = await startPrivate();
    const home = await loginHome();
    const source = await sourceOf(home, fake);
    await expect(source.manifest(secretOf(fake))).rejects.toMatchObject({ code: "not-found" });
    await home.write(DOCKER_CONFIG, { auths: { [fake.host]: { auth: base64(`alice:${PASSWORD}`) } } });
    expect((await source.manifest(secretOf(fake))).bytes.length).toBeGreaterThan(0);
  });
});

describe("an error says which rule the credentials came from, never the secret", () => {
  it("a password that is refused", async () => {
    const fake = await startPrivate();
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, { auths: { [fake.host]: { auth: base64("alice:wr0ng-s3cret") } } });
    const failure = await (await sourceOf(home, fake))
      .manifest(secretOf(fake))
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "unauthorized",
      message: expect.stringContaining(
        `refused the credentials from ~/.docker/config.json (auths: ${fake.host}) (401)`,
      ),
    });
    expect(String(failure) + JSON.stringify(failure)).not.toMatch(/wr0ng|YWxpY2U6/);
  });

  it("a login that does not open the repository, and its absence", async () => {
    const fake = await startPrivate();
    const home = await loginHome();
    const source = await sourceOf(home, fake);
    const absent = parseReference(`${fake.host}/org/none:1`);
    await expect(source.headManifest(absent)).rejects.toMatchObject({
      code: "not-found",
      message: `There is no ${fake.host}/org/none:1, or it is private and needs another login. The registry says: authentication required. No credentials are configured for ${fake.host}: looked in ~/.docker/config.json.`,
    });
    await home.write(DOCKER_CONFIG, { auths: { [fake.host]: { auth: base64(`alice:${PASSWORD}`) } } });
    await expect(source.manifest(absent)).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining(
        `It was asked for with the credentials from ~/.docker/config.json (auths: ${fake.host}).`,
      ),
    });
    const digest = (await source.headManifest(secretOf(fake))).digest;
    await expect(source.blobSize(absent, digest)).rejects.toMatchObject({
      message: expect.stringContaining("It was asked for with the credentials from ~/.docker/config.json"),
    });
  });

  it("a helper that cannot be run", async () => {
    const fake = await startPrivate();
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, { credsStore: "nowhere" });
    const source = await sourceOf(home, fake);
    await expect(source.manifest(secretOf(fake))).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringContaining("docker-credential-nowhere"),
    });
    expect(fake.count()).toBe(0);
  });
});

describe("credentials go to nobody else", () => {
  it("a registry's login does not go to the mirror of --via; the mirror's own does", async () => {
    const mirror = await startPrivate("plain", { auth: "basic" });
    const home = await loginHome();
    const secret = { auth: base64("hub:TOPSECRET") };
    await home.write(DOCKER_CONFIG, {
      auths: { "https://index.docker.io/v1/": secret, "docker.io/org": secret },
    });
    const config = `upstreams: {docker.io: {username: me, password: "\${TOKEN}"}}`;
    const settings = await loadSettings(await home.write("granary.yaml", config), { TOKEN: "TOPSECRET" });
    const reference = parseReference("docker.io/org/secret:1");
    const source = openSource({ settings, via: mirror.url, env: home.env });
    onTestFinished(() => source.close());
    await expect(source.manifest(reference)).rejects.toMatchObject({
      code: "unauthorized",
      message: expect.stringContaining(`No credentials are configured for ${mirror.host}`),
    });
    expect(sentTo(mirror)).toEqual([]);
    await home.write(DOCKER_CONFIG, {
      auths: { "docker.io": secret, [mirror.host]: { auth: base64(`alice:${PASSWORD}`) } },
    });
    await source.manifest(reference);
    expect(sentTo(mirror)).toEqual([aliceBasic]);
  });

  it("given ones go to --via", async () => {
    const mirror = await startPrivate("plain", { auth: "basic" });
    const settings = await loadSettings(undefined, {});
    const { env } = await loginHome();
    const source = openSource({ settings, via: mirror.url, credentials: alice, env });
    onTestFinished(() => source.close());
    await source.manifest(parseReference("docker.io/org/secret:1"));
    expect(sentTo(mirror)).toEqual([aliceBasic]);
  });

  it("neither given ones nor a file's go to a configured mirror beside the registry's own endpoint", async () => {
    const mirror = await startFake({
      mode: "plain",
      settings: { auth: "basic", users: { alice: PASSWORD } },
    });
    const fake = await startPrivate("plain", { auth: "basic" });
    // Two loopback addresses of one machine stand for two hosts.
    const elsewhere = mirror.url.replace("127.0.0.1", "localhost");
    const config = `upstreams: {"${fake.host}": {endpoints: ["${elsewhere}", "${fake.url}"], internal: true}}`;
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, { auths: { [fake.host]: { auth: base64(`alice:${PASSWORD}`) } } });
    for (const options of [{ config }, { config, credentials: alice }]) {
      fake.forgetRequests();
      mirror.forgetRequests();
      await (await sourceOf(home, fake, options)).manifest(secretOf(fake));
      expect(sentTo(fake)).toEqual([aliceBasic]);
      expect(mirror.count()).toBeGreaterThan(0);
      expect(sentTo(mirror)).toEqual([]);
    }
  });

  it("given ones do not go to a realm that is not trusted", async () => {
    const fake = await startPrivate();
    const config = `upstreams: {"${fake.host}": {endpoints: ["${fake.url}"], internal: true}}`;
    for (const credentials of [alice, { identityToken: "refresh-1" }]) {
      const source = await sourceOf(await loginHome(), fake, { config, credentials });
      await expect(source.manifest(secretOf(fake))).rejects.toMatchObject({ code: "denied" });
    }
    expect(fake.count({ origin: "auth" })).toBe(0);
    expect(sentTo(fake)).toEqual([]);
  });
});
