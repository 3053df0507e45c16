/** Shows `granary blob fetch` as people and scripts meet it: a real process, a real registry on loopback. */
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { PROMPT_MS } from "../support/patience.ts";
import { digestOfPattern, firstDifference } from "../support/pattern.ts";
import { until } from "../support/wire.ts";
import { verbWorld } from "./verb-world.ts";

const MIB = 2 ** 20;

async function setUp(size = 3 * MIB) {
  const { fake, directory, run, start } = await verbWorld();
  const digest = fake.addGeneratedBlob({ seed: 7, size }, "org/app");
  const file = join(directory, "blob");
  const args = ["blob", "fetch", `${fake.host}/org/app`, digest, file];
  return { fake, digest, directory, file, args, run, start };
}

describe("a blob", () => {
  test("comes into the file, and standard output stays empty", async () => {
    const { args, file, run } = await setUp();
    const { code, out, err } = await run(args);
    expect([code, out]).toEqual([0, ""]);
    expect(err.split("\n").slice(-3)).toEqual([
      expect.stringMatching(/^Fetched 3 MiB/),
      `${file} is there, verified (3 MiB).`,
      "",
    ]);
    expect(firstDifference(7, 0, await readFile(file))).toBeUndefined();
  });

  test("that is there already is not fetched, and the JSON says so", async () => {
    const { fake, args, digest, file, run } = await setUp();
    const first = await run([...args, "--json"]);
    expect(JSON.parse(first.out)).toEqual({ digest, size: 3 * MIB, path: file, fetched: 3 * MIB });
    fake.forgetRequests();
    const second = await run([...args, "--json"]);
    expect(JSON.parse(second.out)).toEqual({ digest, size: 3 * MIB, path: file, fetched: 0 });
    expect(fake.bytesSentFor(digest)).toBe(0);
  });

  test("comes also when nobody reads the progress to its end", async () => {
    const { args, file, start } = await setUp();
    const { child, ended } = start(args);
    child.stderr?.destroy();
    expect((await ended).code).toBe(0);
    expect(firstDifference(7, 0, await readFile(file))).toBeUndefined();
  });

  test("comes without a word with --quiet", async () => {
    const { args, run } = await setUp();
    expect(await run([...args, "--quiet"])).toEqual({ code: 0, out: "", err: "" });
  });
});

describe("where it comes from", () => {
  test("is another registry with --via, told which one is meant", async () => {
    const { fake, digest, file, run } = await setUp();
    const args = ["blob", "fetch", "ghcr.io/org/app", digest, file, "--via", fake.url];
    expect(await run(args)).toMatchObject({ code: 0 });
    expect(fake.requests[0]?.query.get("ns")).toBe("ghcr.io");
  });

  test("is what a configuration says, with the login that it says", async () => {
    const { fake, digest, file, run } = await setUp();
    Object.assign(fake.settings, { auth: "basic", users: { ann: "pass word" } });
    await writeFile(`${file}.secret`, "pass word\n");
    const upstream = {
      endpoints: [fake.url],
      internal: true,
      username: "ann",
      passwordFile: `${file}.secret`,
    };
    await writeFile(`${file}.yaml`, JSON.stringify({ upstreams: { "registry.test": upstream } }));
    const args = ["blob", "fetch", "registry.test/org/app", digest, file, "--config", `${file}.yaml`];
    expect(await run(args)).toMatchObject({ code: 0 });
  });

  test("is spoken to in plain HTTP with --insecure, where that is not taken for granted", async () => {
    const { fake, digest, file, run } = await setUp();
    // This very machine by another of its names: only the usual ones are trusted to mean it.
    const host = `[::ffff:7f00:1]:${new URL(fake.url).port}`;
    const args = ["blob", "fetch", `${host}/org/app`, digest, file];
    expect(await run(args)).toMatchObject({ code: 1 });
    expect(await run([...args, "--insecure"])).toMatchObject({ code: 0 });
  });

  test("is spoken to with the password of standard input", async () => {
    const { fake, args, run } = await setUp();
    Object.assign(fake.settings, { auth: "basic", users: { ann: "pass word" } });
    const login = ["--username", "ann", "--password-stdin"];
    expect(await run([...args, ...login], "pass word\nnot this line\n")).toMatchObject({
      code: 0,
    });
  });
});

describe("what goes wrong", () => {
  test.each([
    ["an absent blob is 3", 404, 3, "There is no blob"],
    ["a refused one is 4", 403, 4, "org/app"],
    ["one that is hidden from strangers is 3", 401, 3, "it is private and needs"],
  ])("%s", async (_, status, code, part) => {
    const { fake, args, file, run } = await setUp();
    fake.fail(/blobs/, { kind: "status", status }, { times: 99 });
    const ended = await run(args);
    expect(ended).toMatchObject({ code, out: "" });
    expect(ended.err).toContain(part);
    expect(ended.err.trim().split("\n")).toHaveLength(1);
    await expect(stat(file)).rejects.toThrow("ENOENT");
  });

  test("a wrong password is 4, and is not printed", async () => {
    const { fake, args, run } = await setUp();
    Object.assign(fake.settings, { auth: "basic", users: { ann: "right" } });
    const ended = await run([...args, "--username", "ann", "--password-stdin"], "wr0ng\n");
    expect(ended).toMatchObject({ code: 4, out: "" });
    expect(ended.err).not.toContain("wr0ng");
  });

  test("other bytes than the digest names are 5, and no file", async () => {
    const { fake, args, digest, file, run } = await setUp();
    fake.fail(/blobs/, { kind: "flip", offset: 77 }, { times: 99, method: "GET" });
    const ended = await run([...args, "--quiet"]);
    expect(ended).toMatchObject({ code: 5, out: "" });
    expect(ended.err).toContain(digest);
    await expect(stat(file)).rejects.toThrow("ENOENT");
  });

  test("a registry that is gone is 1", async () => {
    const { fake, args, run } = await setUp();
    await fake.pause();
    expect(await run([...args, "--quiet"])).toMatchObject({ code: 1, out: "" });
  });

  test.each([
    ["a digest that is none", ["blob", "fetch", "org/app", "sha256:12", "file"], "sha256:12"],
    ["a repository that is none", ["blob", "fetch", "Org//app", digestOfPattern(1, 1), "file"], "Org//app"],
    [
      "a directory as the file",
      ["blob", "fetch", "127.0.0.1:1/org/app", digestOfPattern(1, 1), "."],
      "directory",
    ],
    [
      "a user without a password",
      ["blob", "fetch", "a/b", digestOfPattern(1, 1), "f", "--username", "ann"],
      "--password-stdin",
    ],
    [
      "a password that does not come",
      ["blob", "fetch", "a/b", digestOfPattern(1, 1), "f", "--username", "ann", "--password-stdin"],
      "no first line",
    ],
    [
      "a password without a user",
      ["blob", "fetch", "a/b", digestOfPattern(1, 1), "f", "--password-stdin"],
      "--username",
    ],
    [
      "a --via that is no URL",
      ["blob", "fetch", "a/b", digestOfPattern(1, 1), "f", "--via", "granary"],
      "http://granary:5000",
    ],
  ])("%s is 2, with a sentence", async (_, args, part) => {
    const { run } = await verbWorld();
    const { code, out, err } = await run(args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(part);
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  test("there is no way to write a password on the command line", async () => {
    const { run } = await verbWorld();
    const ended = await run(["blob", "fetch", "a/b", "d", "f", "--password", "secret"]);
    expect(ended.code).toBe(2);
    expect(ended.err).toContain("unknown option '--password'");
  });
});

describe("a signal", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s keeps what came, says so, and the next run goes on from it", async (name, code) => {
    const { fake, args, digest, file, run, start } = await setUp(24 * MIB);
    fake.settings.bandwidth.registry = 4 * MIB;
    const first = start(args);
    await until(() => fake.bytesSentFor(digest) > 8 * MIB);
    first.child.kill(name);
    const stopped = await first.ended;
    expect([stopped.code, stopped.out]).toEqual([code, ""]);
    expect(stopped.err.split("\n")[0]).toMatch(/^Fetching 24 MiB/);
    expect(stopped.err.split("\n").slice(1)).toEqual([
      expect.stringMatching(
        /^granary: Stopped fetching sha256:\w+ of .*: \S+ MiB of 24 MiB are kept in .*blob\.partial\.$/,
      ),
      `To go on from there: granary ${args.join(" ")}`,
      "",
    ]);

    fake.settings.bandwidth.registry = undefined;
    fake.forgetRequests();
    const second = await run([...args, "--json"]);
    expect(second.code).toBe(0);
    const { fetched } = JSON.parse(second.out) as { fetched: number };
    expect(fetched).toBeLessThan(20 * MIB);
    expect(fake.bytesSentFor(digest)).toBe(fetched);
    expect(firstDifference(7, 0, await readFile(file))).toBeUndefined();
  });

  test("ends it at once, also when nothing answers", async () => {
    const { fake, args, start } = await setUp();
    fake.fail(/blobs/, { kind: "hang" }, { times: 99 });
    const { child, ended } = start(args);
    await until(() => fake.requests.length > 0);
    const before = performance.now();
    child.kill("SIGINT");
    expect((await ended).code).toBe(130);
    expect(performance.now() - before).toBeLessThan(PROMPT_MS);
  });
});

describe("with - as its file", () => {
  async function toOutput(size = 3 * MIB) {
    const world = await setUp(size);
    const args = [...world.args.slice(0, 4), "-"];
    return { ...world, args };
  }

  test("the bytes go to standard output, and all words to standard error", async () => {
    const { directory, digest, start, args } = await toOutput();
    const { child, ended } = start(args);
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
    const { code, err } = await ended;
    const bytes = Buffer.concat(chunks);
    expect([code, digestOf(bytes), bytes.length]).toEqual([0, digest, 3 * MIB]);
    expect(err).toBe(
      "Fetching 3 MiB\nFetched 3 MiB\nThe blob was written to standard output, verified (3 MiB).\n".replace(
        "Fetched 3 MiB",
        /Fetched.*/.exec(err)?.[0] ?? "",
      ),
    );
    expect(await readdir(directory)).toEqual([]);
  });

  test("wrong bytes never come to an end: exit code 5", async () => {
    const { fake, digest, start, args } = await toOutput();
    fake.fail(/blobs/, { kind: "flip", offset: 100 }, { times: 99 });
    const { child, ended } = start(args);
    let length = 0;
    child.stdout?.on("data", (chunk: Buffer) => {
      length += chunk.length;
    });
    expect((await ended).code).toBe(5);
    expect(length).toBeLessThan(3 * MIB);
    expect(digest).toContain("sha256:");
  });

  test("whoever stops reading ends it without a word, and the exit code says that it was not all", async () => {
    const { fake, start, args } = await toOutput(24 * MIB);
    fake.settings.bandwidth.registry = 8 * MIB;
    const { child, ended } = start([...args, "--quiet"]);
    child.stdout?.once("data", () => child.stdout?.destroy());
    const { code, err } = await ended;
    expect([code, err]).toEqual([141, ""]);
  });

  test("Ctrl-C ends it: nothing is kept, and nothing is said to be", async () => {
    const { fake, digest, start, args } = await toOutput(24 * MIB);
    fake.settings.bandwidth.registry = 4 * MIB;
    const { child, ended } = start(args);
    await until(() => fake.bytesSentFor(digest) > 4 * MIB);
    child.kill("SIGINT");
    const { code, err } = await ended;
    expect(code).toBe(130);
    expect(err).toMatch(/\ngranary: Stopped fetching sha256:\w+ of \S+\.\n$/);
  });

  test("JSON does not fit beside the bytes: exit code 2", async () => {
    const { run, args } = await toOutput();
    expect(await run([...args, "--json"])).toMatchObject({
      code: 2,
      out: "",
      err: expect.stringContaining("leave out --json"),
    });
  });
});
