/** Shows which login the files of docker and podman give for a repository, and that what cannot be used is said by name only. */
import { rename, symlink } from "node:fs/promises";
import { describe, expect, it, test } from "vitest";
import { base64, DOCKER_CONFIG, loginHome } from "../support/logins.ts";

const auth = (user: string, password = "s3cret") => ({ auth: base64(`${user}:${password}`) });
const rule = (key: string) => `~/${DOCKER_CONFIG} (auths: ${key})`;

describe("an entry of auths", () => {
  test.each([
    ["auth, the base64 of user:password", auth("me", "a:b:ü"), { username: "me", password: "a:b:ü" }],
    ["username and password", { username: "me", password: "pw" }, { username: "me", password: "pw" }],
    [
      "an identity token beside a user name",
      { auth: base64("me:"), identitytoken: "refresh" },
      { identityToken: "refresh", username: "me" },
    ],
    [
      "an identity token alone, before a password",
      { ...auth("me"), identitytoken: "refresh" },
      { identityToken: "refresh", username: "me" },
    ],
    [
      "a registry token, before everything",
      { ...auth("me"), registrytoken: "bearer" },
      { registryToken: "bearer" },
    ],
  ])("may hold %s", async (_, entry, wanted) => {
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, { auths: { "ghcr.io": entry } });
    expect((await home.find("ghcr.io")).credentials).toEqual({ ...wanted, rule: rule("ghcr.io") });
  });

  test.each([
    ["nothing", {}],
    ["an empty auth", { auth: "" }],
    ["a user without a password", auth("me", "")],
    ["something that is no object", 7],
  ])("that holds %s is no login", async (_, entry) => {
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, { auths: { "ghcr.io": entry } });
    expect((await home.find("ghcr.io")).credentials).toBeUndefined();
  });
});

describe("the key of an entry", () => {
  test.each([
    "https://index.docker.io/v1/",
    "index.docker.io/v1/",
    "https://index.docker.io",
    "index.docker.io",
    "docker.io",
    "https://registry-1.docker.io/v2/",
    "DOCKER.IO",
  ])("%s means Docker Hub", async (key) => {
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, { auths: { "ghcr.io": auth("other"), [key]: auth("hub") } });
    for (const name of ["docker.io", "registry-1.docker.io"]) {
      expect((await home.find(name, "library/alpine")).credentials).toMatchObject({ username: "hub" });
    }
  });

  test.each(["https://registry.example:5000/v2/", "http://registry.example:5000", "registry.example:5000/"])(
    "%s means the registry, whatever its scheme",
    async (key) => {
      const home = await loginHome();
      await home.write(DOCKER_CONFIG, { auths: { [key]: auth("me") } });
      expect((await home.find("registry.example:5000")).credentials).toMatchObject({ username: "me" });
    },
  );

  it("with a path is for what lies below it, and the longest one counts", async () => {
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, {
      auths: {
        "quay.io": auth("all"),
        "quay.io/org": auth("org"),
        "https://quay.io/org/team/app": auth("app"),
        "quay.io/org/team": auth("team"),
      },
    });
    const userOf = async (repository: string) => (await home.find("quay.io", repository)).credentials;
    expect(await userOf("org/team/app")).toMatchObject({ username: "app" });
    expect(await userOf("org/team/app2")).toMatchObject({ username: "team" });
    expect(await userOf("org/other")).toMatchObject({ username: "org" });
    expect(await userOf("organisation/x")).toMatchObject({ username: "all" });
  });

  it("with a path is for nothing else, and v1 or v2 is a namespace where no URL is meant", async () => {
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, { auths: { "quay.io/org": auth("org"), "ghcr.io/v2": auth("v2") } });
    expect((await home.find("quay.io", "stranger/app")).credentials).toBeUndefined();
    expect((await home.find("quay.io", "orga/app")).credentials).toBeUndefined();
    expect((await home.find("ghcr.io", "org/app")).credentials).toBeUndefined();
    expect((await home.find("ghcr.io", "v2/app")).credentials).toMatchObject({ username: "v2" });
  });

  test.each(["ghcr.io.evil.example", "evil-ghcr.io", "ghcr.io:5000", "sub.ghcr.io", "ghcr.io@evil.example"])(
    "%s is not ghcr.io",
    async (key) => {
      const home = await loginHome();
      await home.write(DOCKER_CONFIG, { auths: { [key]: auth("me") } });
      expect((await home.find("ghcr.io")).credentials).toBeUndefined();
    },
  );
});

describe("the files", () => {
  it("are $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json and ~/.docker/config.json, in that order", async () => {
    const home = await loginHome();
    home.env.REGISTRY_AUTH_FILE = await home.write("own.json", { auths: { "a.example": auth("own") } });
    home.env.XDG_RUNTIME_DIR = home.path("run");
    const both = { "a.example": auth("podman"), "b.example": auth("podman") };
    await home.write("run/containers/auth.json", { auths: both });
    await home.write(DOCKER_CONFIG, {
      auths: { ...both, "b.example": auth("docker"), "c.example": auth("docker") },
    });
    const found = async (name: string) => (await home.find(name)).credentials;
    expect(await found("a.example")).toMatchObject({
      username: "own",
      rule: "~/own.json (auths: a.example)",
    });
    expect(await found("b.example")).toMatchObject({ username: "podman" });
    expect(await found("c.example")).toMatchObject({ username: "docker" });
    expect((await home.find("d.example")).says).toBe(
      "No credentials are configured for d.example: looked in ~/own.json, ~/run/containers/auth.json, ~/.docker/config.json.",
    );
  });

  it("are $DOCKER_CONFIG/config.json in place of ~/.docker where that is set", async () => {
    const home = await loginHome();
    home.env.DOCKER_CONFIG = home.path("elsewhere");
    await home.write(DOCKER_CONFIG, { auths: { "ghcr.io": auth("home") } });
    await home.write("elsewhere/config.json", { auths: { "ghcr.io": auth("elsewhere") } });
    expect((await home.find("ghcr.io")).credentials).toMatchObject({ username: "elsewhere" });
  });

  it("are read at use time: a login made later counts, and one that was ended does not", async () => {
    const home = await loginHome();
    const logins = home.logins();
    const ask = { names: ["ghcr.io"], repository: "org/app" };
    expect((await logins.find(ask)).credentials).toBeUndefined();
    await home.write(DOCKER_CONFIG, { auths: { "ghcr.io": auth("later") } });
    expect((await logins.find(ask)).credentials).toMatchObject({ username: "later" });
    await home.write(DOCKER_CONFIG, { auths: {} });
    expect((await logins.find(ask)).credentials).toBeUndefined();
  });

  it("may be symbolic links, or empty", async () => {
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, { auths: { "ghcr.io": auth("linked") } });
    await rename(home.path(DOCKER_CONFIG), home.path("real.json"));
    await symlink(home.path("real.json"), home.path(DOCKER_CONFIG));
    home.env.REGISTRY_AUTH_FILE = "/dev/null";
    expect((await home.find("ghcr.io")).credentials).toMatchObject({ username: "linked" });
  });
});

describe("a file that cannot be used is config-invalid by name, and nothing of it is shown", () => {
  test.each([
    [
      "no JSON",
      '{"auths": {"ghcr.io": {"auth": "TOPSECRET"',
      /~\/\.docker\/config\.json is not a JSON object/,
    ],
    ["a list", '["TOPSECRET"]', /is not a JSON object/],
    ["auths that is a text", '{"auths": "TOPSECRET"}', /has "auths" that is not an object/],
    [
      "credHelpers that is a list",
      '{"credHelpers": ["TOPSECRET"]}',
      /has "credHelpers" that is not an object/,
    ],
    [
      "an auth that is no base64",
      '{"auths": {"ghcr.io": {"auth": "TOPSECRET!!"}}}',
      /the login in ~\/\.docker\/config\.json \(auths: ghcr\.io\) cannot be used: "auth" is not the base64/i,
    ],
    ["an auth without a colon", `{"auths": {"ghcr.io": {"auth": "${base64("TOPSECRET")}"}}}`, /Log in again/],
    [
      "a registry token with a line break",
      '{"auths": {"ghcr.io": {"registrytoken": "TOPSECRET\\nx: y"}}}',
      /"registrytoken" holds characters/,
    ],
  ])("%s", async (_, text, wanted) => {
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, text);
    const failure = await home.find("ghcr.io").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "config-invalid", message: expect.stringMatching(wanted) });
    expect(everythingIn(failure)).not.toMatch(/TOPSECRET|VE9QU0VDUkVU/);
  });

  it("a directory", async () => {
    const home = await loginHome();
    await home.write(`${DOCKER_CONFIG}/x`, "");
    await expect(home.find("ghcr.io")).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringContaining("~/.docker/config.json cannot be read (EISDIR)"),
    });
  });

  it("but a broken entry of another registry is nobody's trouble", async () => {
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, { auths: { "quay.io": { auth: "!!" }, "ghcr.io": auth("me") } });
    expect((await home.find("ghcr.io")).credentials).toMatchObject({ username: "me" });
  });
});

function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return [error.stack, JSON.stringify(error), everythingIn(error.cause ?? "")].join("\n");
}
