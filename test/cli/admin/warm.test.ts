/** Shows `granary warm` and `granary jobs` against a real server: what comes in, what is told of it, and how it is followed and stopped. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { FakeSettings } from "../../support/fake-registry.ts";
import { MiB } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";
import { startGranary } from "../../support/run-granary.ts";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

async function startServer(more: readonly string[] = [], settings: Partial<FakeSettings> = {}) {
  const fake = await startFake({ mode: "plain", settings });
  const directory = join(await tempDirectory(), "data");
  const serving = await startServing({ fake, directory, more });
  const granary = (...args: string[]) => runMain([...args, "--directory", directory]);
  return { fake, directory, serving, granary };
}

describe("granary warm", () => {
  test("brings in what is named, says so, and clients have it when the registry is gone", async () => {
    const { fake, serving, granary } = await startServer();
    const { layerDigests } = fake.addImage("a/b", "1", { layers: [2 * MiB] });
    const { code, out, err } = await granary("warm", "fake.test/a/b:1");
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/^1 brought in \(2 MiB\), 0 here already/),
    });
    expect(err).toContain("fake.test/a/b:1 is here");
    await fake.pause();
    expect((await serving.get("/v2/fake.test/a/b/manifests/1")).status).toBe(200);
    expect((await serving.get(`/v2/fake.test/a/b/blobs/${layerDigests[0]}`)).body).toHaveLength(2 * MiB);
  });

  test("as a dry run says what is here and what would be fetched, and fetches no blob", async () => {
    const { fake, granary } = await startServer();
    const one = fake.addImage("a/b", "1", { layers: [2 * MiB] });
    const two = fake.addImage("a/b", "2", { layers: [3 * MiB], seed: 9 });
    await granary("warm", "fake.test/a/b:1", "--quiet");
    const { code, out } = await granary("warm", "fake.test/a/b:*", "fake.test/a/none", "--dry-run");
    expect(code).toBe(0);
    expect(out).toMatch(/^fake\.test\/a\/none:latest: .*is not there/m);
    expect(out).toMatch(/^fake\.test\/a\/b:1: here already$/m);
    expect(out).toMatch(/^fake\.test\/a\/b:2: would fetch 3 MiB, 0 B are here$/m);
    expect(out).toMatch(/^In all: 3 MiB to fetch, 2 MiB here already\.$/m);
    expect(out).toMatch(/^fake\.test: 1 manifest was fetched to tell this, and stays\.$/m);
    expect(fake.bytesSentFor(two.layerDigests[0] ?? "")).toBe(0);
    expect(fake.bytesSentFor(one.layerDigests[0] ?? "")).toBe(2 * MiB);
    const json = JSON.parse((await granary("warm", "fake.test/a/b:2", "--dry-run", "--json")).out);
    expect(json).toMatchObject({ dryRun: true, preview: { bytes: { toFetch: expect.any(Number) } } });
  });

  test("of what does not exist says which, ends with 1, and the rest is here", async () => {
    const { fake, granary } = await startServer();
    fake.addImage("a/b", "1", { layers: [10] });
    const { code, out } = await granary("warm", "fake.test/a/none:1", "fake.test/a/b:1", "--quiet");
    expect(code).toBe(1);
    expect(out).toMatch(/^1 brought in .*, 1 failed\.$/m);
    expect(out).toMatch(/^ {2}fake\.test\/a\/none:1: .+/m);
  });

  test("takes several platforms, with commas or one by one, and says which it does not know", async () => {
    const { fake, granary } = await startServer();
    const child = fake.addImage("a/b", undefined, { layers: [10] }).manifestDigest;
    const other = fake.addImage("a/b", undefined, { layers: [11], seed: 9 }).manifestDigest;
    fake.addIndex("a/b", "1", [
      { digest: child, platform: "linux/amd64" },
      { digest: other, platform: "linux/arm64" },
    ]);
    for (const platforms of [["linux/amd64,linux/arm64"], ["linux/amd64", "--platform", "linux/arm64"]]) {
      const { out } = await granary(
        "warm",
        "--platform",
        ...platforms,
        "fake.test/a/b:1",
        "--json",
        "--quiet",
      );
      expect(JSON.parse(out)).toMatchObject({
        input: { platforms: ["linux/amd64", "linux/arm64"] },
        state: "done",
      });
    }
    const bad = await granary("warm", "fake.test/a/b:1", "--platform", "arm64");
    expect([bad.code, bad.err]).toEqual([2, expect.stringContaining('"arm64" is not a platform')]);
  });

  test("takes a file of references, and says which line of it cannot be used", async () => {
    const { fake, granary } = await startServer();
    fake.addImage("a/b", "1", { layers: [10] });
    const file = join(await tempDirectory(), "list");
    await writeFile(file, "# ours\n\nfake.test/a/b:1  # the first\n");
    expect((await granary("warm", "--file", file)).out).toMatch(/^1 brought in/);
    await writeFile(file, "fake.test/a/b:1\nfake.test/org/**\n");
    const bad = await granary("warm", "--file", file);
    expect([bad.code, bad.out]).toEqual([2, ""]);
    expect(bad.err).toMatch(/Line 2: .*registries do not tell which repositories they have/);
  });

  test("without a name lists the warm-ups of the settings, and brings one in by its name", async () => {
    const { fake, granary } = await startServer([
      "warm: { base: { references: ['fake.test/a/b:1'], schedule: daily }, edge: { references: ['fake.test/a/b:2'] } }",
    ]);
    fake.addImage("a/b", "1", { layers: [10] });
    const before = await granary("warm");
    expect(before.out).toMatch(/^base: 1 reference, daily, next \w{3} \d{4}-\d\d-\d\d 00:00$/m);
    expect(before.out).toMatch(/^edge: 1 reference, when somebody says so$/m);
    expect((await granary("warm", "--list", "base")).code).toBe(0);
    expect((await granary("warm")).out).toMatch(/^base: .*, last .*: done \(job 1\)$/m);
    const none = await granary("warm", "--list", "basis");
    expect([none.code, none.err]).toEqual([
      3,
      expect.stringContaining('no warm-up "basis"; there are: base, edge'),
    ]);
    expect((await granary("warm", "--dry-run")).code).toBe(2);
  });

  test("needs a server, and says so", async () => {
    const { code, err } = await runMain(["warm", "alpine", "--directory", await tempDirectory()]);
    expect([code, err]).toEqual([1, expect.stringContaining("No Granary runs in")]);
  });
});

describe("a schedule that cannot be read", () => {
  test("stops the start with the key, the nearest good one and its next three times", async () => {
    const file = join(await tempDirectory(), "granary.yaml");
    await writeFile(file, "warm: { base: { references: [alpine], schedule: 0 25 * * * } }\n");
    const { code, err } = await runMain(["serve", "--check", "--config", file]);
    expect(code).toBe(2);
    expect(err).toMatch(
      /warm\.base\.schedule: "0 25 \* \* \*" is no schedule: .*Did you mean "0 23 \* \* \*"\? That would be (\w{3} \S+ 23:00(, |\.)){3}/,
    );
  });
});

describe("granary jobs", () => {
  test("lists, shows and stops a warm-up that was left running", async () => {
    const { fake, granary } = await startServer([], { bandwidth: { registry: MiB, cdn: MiB } });
    fake.addImage("a/b", "1", { layers: [200 * MiB] });
    const begun = await granary("warm", "fake.test/a/b:1", "--detach");
    expect([begun.code, begun.out]).toEqual([0, "1\n"]);
    expect((await granary("jobs")).out).toMatch(/^1 {2}running {2}.*warm fake\.test\/a\/b:1$/m);
    const same = await granary("warm", "fake.test/a/b:1");
    expect([same.code, same.err]).toEqual([
      1,
      expect.stringContaining("Job 1 (warm fake.test/a/b:1) brings in the same"),
    ]);
    const remove = await granary("remove", "fake.test/a/*");
    expect([remove.code, remove.err]).toEqual([
      1,
      expect.stringContaining("Job 1 (warm fake.test/a/b:1) brings in what this would remove"),
    ]);
    expect((await granary("remove", "fake.test/a/b:2")).err).not.toContain(
      "brings in what this would remove",
    );
    expect((await granary("jobs", "stop", "1", "--dry-run")).out).toContain(
      "Would stop: warm fake.test/a/b:1.",
    );
    expect((await granary("jobs", "stop", "1")).code).toBe(0);
    const followed = await granary("jobs", "follow", "1");
    expect([followed.code, followed.out]).toEqual([
      1,
      expect.stringMatching(/^State +stopped: Somebody stopped it\.$/m),
    ]);
    const shown = JSON.parse((await granary("jobs", "show", "1", "--json")).out);
    expect(shown).toMatchObject({ id: 1, state: "stopped", input: { references: ["fake.test/a/b:1"] } });
    const again = await granary("jobs", "stop", "1");
    expect([again.code, again.err]).toEqual([1, expect.stringContaining("has ended already: stopped")]);
  });

  test("says of a number that is none, and of no number, what is wrong", async () => {
    const { granary } = await startServer();
    expect(await granary("jobs")).toMatchObject({ code: 0, out: "There are no jobs.\n" });
    const unknown = await granary("jobs", "show", "7");
    expect([unknown.code, unknown.err]).toEqual([3, expect.stringContaining("There is no job 7")]);
    const none = await granary("jobs", "show", "seven");
    expect([none.code, none.err]).toEqual([2, expect.stringContaining('"seven" is no job')]);
  });

  test("Ctrl-C leaves the job running and says how to see and how to end it", async () => {
    const { fake, directory, granary } = await startServer([], {
      bandwidth: { registry: 2 * MiB, cdn: 2 * MiB },
    });
    fake.addImage("a/b", "1", { layers: [100 * MiB] });
    const warm = startGranary(["warm", "fake.test/a/b:1", "--directory", directory]);
    onTestFinished(() => void warm.child.kill("SIGKILL"));
    await eventually(async () =>
      expect((await granary("jobs", "list", "--running")).out).toContain("running"),
    );
    await eventually(() => expect(warm.text()).toContain("Fetching"));
    warm.child.kill("SIGINT");
    const { code, err } = await warm.ended;
    expect(code).toBe(130);
    expect(err).toContain(
      "Job 1 goes on (warm fake.test/a/b:1). To see it: granary jobs follow 1. To end it: granary jobs stop 1.",
    );
    expect((await granary("jobs", "list", "--running")).out).toContain("running");
    fake.settings.bandwidth = { registry: undefined, cdn: undefined };
    expect((await granary("jobs", "follow", "1", "--quiet")).code).toBe(0);
  });
});
