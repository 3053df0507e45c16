/** Shows `granary verify` beside a running server and without one: what it says, its exit codes, and that it makes nothing. */
import { chmod, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { VerifyReport } from "../../src/mirror/upkeep/verify-report.ts";
import { encodedOf } from "../../src/oci/digest.ts";
import { patternBytes } from "../support/pattern.ts";
import { runMain } from "../support/run-main.ts";
import { startServing } from "../support/serving.ts";
import { startFake } from "../support/start-upstream.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const SIZE = 300_000;

test("it finds and repairs what is damaged while the server runs, and when it does not", async () => {
  const fake = await startFake({ mode: "plain" });
  const digest = fake.addGeneratedBlob({ seed: 3, size: SIZE });
  const directory = join(await tempDirectory(), "data");
  const serving = await startServing({ fake, directory });
  const pull = async () =>
    (await serving.get(`/v2/a/b/blobs/${digest}`)).body.equals(patternBytes(3, 0, SIZE));
  const path = join(directory, "blobs", "sha256", encodedOf(digest).slice(0, 2), encodedOf(digest));
  const rot = async () => {
    await chmod(path, 0o640);
    await writeFile(path, patternBytes(4, 0, SIZE));
  };
  const verify = (...flags: string[]) => runMain(["verify", "--directory", directory, ...flags]);
  expect(await pull()).toBe(true);
  await expect.poll(() => stat(path).catch(() => undefined), { timeout: 60_000 }).toBeDefined();

  const sound = await verify();
  expect(sound.code).toBe(0);
  expect(sound.out).toBe("Sound: 1 blob (293 KiB) and 0 manifests.\n");
  expect(sound.err).toContain("Read 293 KiB");
  expect((await stat(join(directory, "granary.sock"))).mode & 0o777).toBe(0o600);
  await rot();
  const found = await verify("--quiet");
  expect([found.code, found.err]).toEqual([5, ""]);
  expect(found.out).toBe(
    `Sound: 0 blobs (0 B) and 0 manifests.\n1 damaged blob:\n  ${digest}\nNothing was changed: --repair mends it.\n`,
  );
  for (const flags of [["--dry-run"], ["--dry-run", "--repair"]]) {
    const tried = await verify("--quiet", ...flags);
    expect([tried.code, tried.err]).toEqual([5, ""]);
    expect(tried.out).toBe(
      `Sound: 0 blobs (0 B) and 0 manifests.\n1 damaged blob, would be set aside:\n  ${digest}\nNothing was changed: without --dry-run, --repair does this.\n`,
    );
    expect(JSON.parse((await verify("--json", "--quiet", ...flags)).out)).toMatchObject({
      dryRun: true,
      findings: [{ kind: "damaged-blob", what: digest, isRepaired: false }],
    });
  }
  const repaired = await verify("--quiet", "--repair");
  expect([repaired.code, repaired.out]).toEqual([0, expect.stringContaining("1 damaged blob, 1 set aside:")]);
  expect(await serving.troubles()).toEqual([expect.stringContaining('"damaged"')]);
  expect(await pull()).toBe(true);
  await serving.kill("SIGTERM");

  await rot();
  const alone = await verify("--json");
  expect(alone.code).toBe(5);
  const report = JSON.parse(alone.out) as VerifyReport;
  expect(report).toMatchObject({ isSound: false, findings: [{ kind: "damaged-blob", what: digest }] });
  expect((await verify("--repair", "--quiet")).code).toBe(0);
  expect(await readdir(join(directory, "damaged"))).toHaveLength(2);
  expect((await verify("--quiet")).out).toBe("Sound: 0 blobs (0 B) and 0 manifests.\n");
});

test("what is no storage directory is refused, and nothing is made there", async () => {
  const parent = await tempDirectory();
  await mkdir(join(parent, "empty"));
  for (const name of ["empty", "none"]) {
    const { code, out, err } = await runMain(["verify", "--directory", join(parent, name)]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(`${join(parent, name)} is no storage directory of Granary`);
  }
  expect(await readdir(join(parent, "empty"))).toEqual([]);
  expect(await readdir(parent)).toEqual(["empty"]);
});

test("it finds the directory by the configuration, whose secrets it need not know; and says when a server cannot be asked", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = join(await tempDirectory(), "data");
  const serving = await startServing({ fake, directory });
  const config = join(await tempDirectory(), "granary.yaml");
  const secret = "$" + "{NOT_SET_ANYWHERE}";
  await writeFile(
    config,
    `storage: { directory: ${directory}, verifyEvery: never }\nupstreams: { x.test: { username: a, password: "${secret}" } }\n`,
  );
  expect(await runMain(["verify", "--config", config, "--quiet"])).toMatchObject({ code: 0 });
  await rm(join(directory, "granary.sock"));
  const { code, err } = await runMain(["verify", "--config", config, "--quiet"]);
  expect(code).toBe(2);
  expect(err).toContain("cannot be asked");
  await serving.kill("SIGTERM");
});

test("a pattern says what is meant; what names nothing is not found, also where no server runs; a job can be left running", async () => {
  const fake = await startFake({ mode: "plain" });
  fake.addImage("a/b", "1", { layers: [] });
  const directory = join(await tempDirectory(), "data");
  const serving = await startServing({ fake, directory });
  const verify = (...args: string[]) => runMain(["verify", "--directory", directory, ...args]);
  expect((await serving.get("/v2/a/b/manifests/1")).status).toBe(200);
  await expect.poll(async () => (await verify("--quiet")).code, { timeout: 60_000 }).toBe(0);
  expect(await verify("fake.test/a/b:1", "--quiet")).toMatchObject({
    code: 0,
    out: "Sound: 0 blobs (0 B) and 1 manifest.\n",
  });
  const none = await verify("fake.test/a/c");
  expect([none.code, none.err]).toEqual([3, expect.stringContaining("Near to it: fake.test/a/b.")]);
  expect((await verify("a//b")).code).toBe(2);
  const left = await verify("--detach");
  expect([left.code, left.out]).toEqual([0, expect.stringMatching(/^\d+\n$/)]);
  await serving.kill("SIGTERM");
  const config = ["--config", serving.config];
  expect(await verify("fake.test/a/b", "--quiet", ...config)).toMatchObject({ code: 0 });
  const alone = await verify("fake.test/a/c", ...config);
  expect([alone.code, alone.err]).toEqual([3, expect.stringContaining("Nothing that is stored is named")]);
  const detached = await verify("--detach");
  expect([detached.code, detached.err]).toEqual([1, expect.stringContaining("No Granary runs in")]);
});
