/** Shows what credential helpers are asked and how: real executables, on a PATH of the test's own. */
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { describe, expect, it, test } from "vitest";
import { base64, DOCKER_CONFIG, loginHome } from "../support/logins.ts";
import { eventually, PROMPT_MS } from "../support/patience.ts";
import { HurriedClock } from "../support/start-upstream.ts";

const HUB = "https://index.docker.io/v1/";
const ALICE = `printf '{"ServerURL":"%s","Username":"alice","Secret":"s3cret"}' "$server"`;
const NONE = 'echo "credentials not found in native keychain"; exit 1';

describe("a credential helper", () => {
  it("of credHelpers is asked with get, the registry on stdin and nothing else", async () => {
    const home = await loginHome();
    await home.addHelper("lab_1.x-y", ALICE);
    await home.write(DOCKER_CONFIG, { credHelpers: { "ghcr.io": "lab_1.x-y" } });
    expect((await home.find("ghcr.io")).credentials).toEqual({
      username: "alice",
      password: "s3cret",
      rule: "~/.docker/config.json (credHelpers: ghcr.io)",
    });
    expect((await home.find("quay.io")).credentials).toBeUndefined();
    expect(await home.askedOf("lab_1.x-y")).toEqual(["get 1 ghcr.io"]);
  });

  it("of credsStore is asked for every registry, for Docker Hub by its old address", async () => {
    const home = await loginHome();
    await home.addHelper("store", ALICE);
    await home.write(DOCKER_CONFIG, { credsStore: "store" });
    expect((await home.find("docker.io", "library/alpine")).credentials).toMatchObject({
      username: "alice",
      rule: "~/.docker/config.json (credsStore: store)",
    });
    await home.find("ghcr.io");
    expect(await home.askedOf("store")).toEqual([`get 1 ${HUB}`, "get 1 ghcr.io"]);
  });

  it("of credHelpers comes before the store, and an entry of a path before both a store and the registry's entry", async () => {
    const home = await loginHome();
    await home.addHelper("own", ALICE.replace("alice", "own"));
    await home.addHelper("store", ALICE.replace("alice", "store"));
    const auths = { "quay.io": { auth: base64("file:x") }, "quay.io/org": { auth: base64("path:x") } };
    await home.write(DOCKER_CONFIG, { auths, credsStore: "store", credHelpers: { "ghcr.io": "own" } });
    const userOf = async (...ask: [string, string]) => (await home.find(...ask)).credentials;
    expect(await userOf("ghcr.io", "org/app")).toMatchObject({ username: "own" });
    expect(await userOf("quay.io", "org/app")).toMatchObject({ username: "path" });
    expect(await userOf("quay.io", "other/app")).toMatchObject({ username: "store" });
  });

  it("of credHelpers takes a registry out of the store, also by an empty name", async () => {
    const home = await loginHome();
    await home.addHelper("own", NONE);
    await home.addHelper("store", ALICE);
    const auths = { "ghcr.io": { auth: base64("file:x") } };
    for (const helper of ["own", ""]) {
      await home.write(DOCKER_CONFIG, { auths, credsStore: "store", credHelpers: { "ghcr.io": helper } });
      expect((await home.find("ghcr.io")).credentials).toMatchObject({ username: "file" });
    }
    expect(await home.askedOf("store")).toEqual([]);
  });

  it("may know an identity token, by the user name <token>", async () => {
    const home = await loginHome();
    await home.addHelper("store", `echo '{"ServerURL":"x","Username":"<token>","Secret":"refresh"}'`);
    await home.write(DOCKER_CONFIG, { credsStore: "store" });
    expect((await home.find("ghcr.io")).credentials).toEqual({
      identityToken: "refresh",
      rule: "~/.docker/config.json (credsStore: store)",
    });
  });

  test.each([
    ["on stdout", NONE],
    ["on stderr", 'echo "Error: credentials not found in native keychain" >&2; exit 1'],
    ["as an empty secret", `echo '{"ServerURL":"x","Username":"","Secret":""}'`],
  ])("that says %s that it knows nothing leaves the entries of the file", async (_, script) => {
    const home = await loginHome();
    await home.addHelper("store", script);
    await home.write(DOCKER_CONFIG, {
      credsStore: "store",
      auths: { "ghcr.io": { auth: base64("file:x") } },
    });
    expect((await home.find("ghcr.io")).credentials).toMatchObject({ username: "file" });
    expect((await home.find("quay.io")).credentials).toBeUndefined();
  });

  it("may warn on stderr while it answers", async () => {
    const home = await loginHome();
    await home.addHelper("store", `echo "a new version is there" >&2; ${ALICE}`);
    await home.write(DOCKER_CONFIG, { credsStore: "store" });
    expect((await home.find("ghcr.io")).credentials).toMatchObject({ username: "alice" });
  });

  it("need not read its stdin", async () => {
    const home = await loginHome();
    const path = await home.write("bin/docker-credential-deaf", "");
    await writeFile(path, `#!/bin/sh\necho '{"Username":"u","Secret":"p"}'\n`);
    await chmod(path, 0o755);
    await home.write(DOCKER_CONFIG, { credsStore: "deaf" });
    expect((await home.find("ghcr.io")).credentials).toMatchObject({ username: "u" });
  });

  it("is asked once by many, and again after a minute", async () => {
    const home = await loginHome();
    await home.addHelper("store", ALICE);
    await home.write(DOCKER_CONFIG, { credsStore: "store" });
    const clock = new HurriedClock();
    const logins = home.logins({ clock });
    const ask = { names: ["ghcr.io"], repository: "org/app" };
    await Promise.all(Array.from({ length: 10 }, () => logins.find(ask)));
    clock.aheadMs = 59_000;
    await logins.find(ask);
    expect(await home.askedOf("store")).toHaveLength(1);
    clock.aheadMs = 61_000;
    await logins.find(ask);
    expect(await home.askedOf("store")).toHaveLength(2);
  });

  it("that knew nothing is asked again after five seconds: a login made later counts", async () => {
    const home = await loginHome();
    await home.addHelper("store", NONE);
    await home.write(DOCKER_CONFIG, { credsStore: "store" });
    const clock = new HurriedClock();
    const logins = home.logins({ clock });
    const ask = { names: ["ghcr.io"], repository: "org/app" };
    expect((await logins.find(ask)).credentials).toBeUndefined();
    await home.addHelper("store", ALICE);
    clock.aheadMs = 5_001;
    expect((await logins.find(ask)).credentials).toMatchObject({ username: "alice" });
  });
});

describe("a credential helper that fails is config-invalid by name, and nothing that it printed is shown", () => {
  test.each([
    [
      "ends with an error",
      'echo "gpg failed for TOPSECRET"; exit 3',
      /docker-credential-store.*ended with status 3/,
    ],
    ["prints no JSON", "echo TOPSECRET", /printed something that is not JSON/],
    ["prints without end", "while :; do echo TOPSECRET; done", /printed more than 262144 bytes/],
    ["complains without end", "while :; do echo TOPSECRET >&2; done", /printed more than 262144 bytes/],
    ["is killed", "echo TOPSECRET; kill -9 $$", /ended with a signal/],
  ])("one that %s", async (_, script, wanted) => {
    const home = await loginHome();
    await home.addHelper("store", script);
    await home.write(DOCKER_CONFIG, { credsStore: "store" });
    const failure = await home.find("ghcr.io").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "config-invalid", message: expect.stringMatching(wanted) });
    expect(failure).toMatchObject({
      message: expect.stringMatching(
        /~\/\.docker\/config\.json.*echo ghcr\.io \| docker-credential-store get/,
      ),
    });
    expect(String(failure) + JSON.stringify(failure)).not.toContain("TOPSECRET");
  });

  it("one that is not there", async () => {
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, { credsStore: "nowhere" });
    await expect(home.find("ghcr.io")).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringContaining("is not in PATH"),
    });
  });

  it("one that says nothing is ended in time, also when a child of its own holds its output", async () => {
    const home = await loginHome();
    await home.addHelper("store", `echo $$ > "$HOME/helper"; sleep 20 & echo $! > "$HOME/child"; wait`);
    await home.write(DOCKER_CONFIG, { credsStore: "store" });
    const begunAt = performance.now();
    await expect(home.find("ghcr.io", "org/app", { timeoutMs: 1_000 })).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringContaining("gave no answer in 1 s"),
    });
    expect(performance.now() - begunAt).toBeLessThan(PROMPT_MS);
    const helper = Number(await readFile(home.path("helper"), "utf8"));
    await eventually(() => expect(() => process.kill(helper, 0)).toThrow("ESRCH"));
    process.kill(Number(await readFile(home.path("child"), "utf8")));
  });

  test.each(["../evil", "a b", "a;touch pwned", "$(touch pwned)", "a/b", "a\u0000b", "ü"])(
    "the name %j is refused before anything is run",
    async (name) => {
      const home = await loginHome();
      await home.write(DOCKER_CONFIG, { credHelpers: { "ghcr.io": name } });
      await expect(home.find("ghcr.io")).rejects.toMatchObject({
        code: "config-invalid",
        message: expect.stringContaining("credential helper that is no name"),
      });
      await expect(stat(home.path("pwned"))).rejects.toMatchObject({ code: "ENOENT" });
    },
  );

  it("what a registry is called is never part of a command", async () => {
    const home = await loginHome();
    await home.addHelper("store", NONE);
    await home.write(DOCKER_CONFIG, { credsStore: "store" });
    await home.find("$(touch>pwned).example");
    expect(await home.askedOf("store")).toEqual(["get 1 $(touch>pwned).example"]);
  });

  it("no secret of the files is in a helper's environment", async () => {
    const home = await loginHome();
    await home.addHelper("store", NONE);
    await home.write(DOCKER_CONFIG, {
      credsStore: "store",
      auths: { "ghcr.io": { auth: base64("me:TOPSECRET") } },
    });
    await home.find("ghcr.io");
    expect(await readFile(home.path("store.env"), "utf8")).toContain(`HOME=${home.directory}`);
    expect(await readFile(home.path("store.env"), "utf8")).not.toMatch(/TOPSECRET|bWU6VE9QU0VDUkVU/);
  });
});

describe("a login that was refused", () => {
  it("is looked up anew, in files at once and of a helper when its answer is some seconds old", async () => {
    const home = await loginHome();
    await home.addHelper("lab", ALICE);
    await home.write(DOCKER_CONFIG, { credHelpers: { "ghcr.io": "lab" } });
    const clock = new HurriedClock();
    const logins = home.logins({ clock });
    const ask = { names: ["ghcr.io"], repository: "org/app" };
    const first = await logins.find(ask);
    await home.addHelper("lab", ALICE.replace("s3cret", "newer"));
    expect(await first.renew?.(), "asked for a moment ago").toBeUndefined();
    clock.aheadMs += 6_000;
    expect((await first.renew?.())?.credentials).toMatchObject({ password: "newer" });
    expect(await home.askedOf("lab")).toHaveLength(2);

    await home.write(DOCKER_CONFIG, { auths: { "ghcr.io": { auth: base64("alice:one") } } });
    const written = await logins.find(ask);
    expect(await written.renew?.(), "the same").toBeUndefined();
    await home.write(DOCKER_CONFIG, { auths: { "ghcr.io": { auth: base64("alice:two") } } });
    expect((await written.renew?.())?.credentials).toMatchObject({ password: "two" });
  });
});
