/** What a user of `granary blob fetch` and fetchBlobFrom relies on, against a real server. */
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type FetchBlobOptions, fetchBlobFrom } from "../../../src/client/fetching/fetch-blob.ts";
import type { Progress } from "../../../src/client/fetching/progress.ts";
import { isGranaryError } from "../../../src/errors.ts";
import { type Digest, digestOf } from "../../../src/oci/digest.ts";
import type { FakeMode, FakeRegistry, FakeSettings, Fault } from "../../support/fake-registry.ts";
import { PROMPT_MS } from "../../support/patience.ts";
import { sourceOf } from "../../support/source-of.ts";
import { HurriedClock, LeapingClock, startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

const MIB = 2 ** 20;
const repository = { registry: "fake.test", repository: "org/app" };

type WorldOptions = {
  mode?: FakeMode;
  settings?: Partial<FakeSettings>;
  size?: number;
  policy?: { stallMs?: number };
};

/** One blob in a registry, and an empty directory to bring it to. */
async function world({ mode = "plain", settings = {}, size = 3 * MIB, policy = {} }: WorldOptions = {}) {
  const fake = await startFake({ mode, settings });
  const digest = fake.addGeneratedBlob({ seed: 7, size }, repository.repository);
  const directory = await tempDirectory();
  const path = join(directory, "blob");
  const source = sourceOf(fake, { policy });
  const fetch = (options: FetchBlobOptions = {}, to = path) =>
    fetchBlobFrom(source, { repository, digest }, to, { clock: new HurriedClock(), ...options });
  return { fake, digest, directory, path, source, size, fetch };
}

function blobGets(fake: FakeRegistry) {
  return fake.requests.filter(({ kind, method }) => kind === "blob" && method === "GET");
}

/** The next GETs of the blob suffer `fault`. */
function failGets(fake: FakeRegistry, fault: Fault, times = 1): void {
  fake.fail(/\/blobs\//, fault, { method: "GET", times });
}

test("writes the bytes of the digest, and nothing else beside them", async () => {
  const { fetch, path, directory, digest, size, fake } = await world();
  await expect(fetch()).resolves.toEqual({ digest, size, path, fetched: size });
  expect(digestOf(await readFile(path))).toBe(digest);
  expect(await readdir(directory)).toEqual(["blob"]);
  expect((await stat(path)).mode & 0o777).toBe(0o644);
  expect(fake.bytesSentFor(digest)).toBe(size);
});

test("an empty blob, and one named by sha512", async () => {
  const { fake, source, directory } = await world();
  const empty = fake.addBlob(new Uint8Array(0), repository.repository);
  const path = join(directory, "empty");
  await fetchBlobFrom(source, { repository, digest: empty }, path);
  expect((await stat(path)).size).toBe(0);
});

test("a big blob comes over several connections at once, each byte once", async () => {
  const size = 40 * MIB;
  const { fake, fetch, path, digest } = await world({ size });
  fake.settings.bandwidth.registry = 8 * MIB;
  await fetch();
  expect(digestOf(await readFile(path))).toBe(digest);
  expect(fake.maxConcurrentFor(digest)).toBeGreaterThanOrEqual(4);
  expect(fake.bytesSentFor(digest)).toBe(size);
});

test("wrong bytes of the right length are a digest mismatch, and no file is left", async () => {
  const { fake, fetch, directory } = await world();
  failGets(fake, { kind: "flip", offset: 1_000 }, 99);
  await expect(fetch()).rejects.toMatchObject({ code: "digest-mismatch" });
  expect(await readdir(directory)).toEqual([]);
});

test("a body that breaks off is resumed where it stopped", async () => {
  const { fake, fetch, path, digest, size } = await world();
  failGets(fake, { kind: "cut", afterBytes: MIB });
  await fetch();
  expect(digestOf(await readFile(path))).toBe(digest);
  const [, second] = blobGets(fake);
  expect(second?.range).toMatch(/^bytes=[1-9]\d*-/);
  expect(fake.bytesSentFor(digest)).toBeLessThan(size + 2 * MIB);
});

describe("a resume that the server does not grant", () => {
  test("200 in place of 206 is taken from its start", async () => {
    const { fake, fetch, path, digest } = await world();
    failGets(fake, { kind: "cut", afterBytes: MIB });
    failGets(fake, { kind: "ignore-range" }, 99);
    await fetch();
    expect(digestOf(await readFile(path))).toBe(digest);
  });

  test.each<[string, Fault]>([
    ["416", { kind: "status", status: 416 }],
    ["a 206 of another place", { kind: "headers", headers: { "content-range": "bytes 0-9/3145728" } }],
  ])("%s is refused, and the next run starts clean or goes on", async (_, fault) => {
    const { fake, fetch, path, digest, directory } = await world();
    failGets(fake, { kind: "cut", afterBytes: MIB });
    failGets(fake, fault, 99);
    await expect(fetch()).rejects.toSatisfy((error) => isGranaryError(error));
    expect(await readdir(directory)).not.toContain("blob");
    fake.faults.length = 0;
    await fetch();
    expect(digestOf(await readFile(path))).toBe(digest);
  });
});

test("bytes that do not fit together after a resume are fetched once more, from nothing", async () => {
  const { fake, fetch, path, digest } = await world();
  failGets(fake, { kind: "cut", afterBytes: MIB });
  failGets(fake, { kind: "flip", offset: 2 * MIB });
  await fetch();
  expect(digestOf(await readFile(path))).toBe(digest);
});

test("a partial of an earlier run with wrong bytes is discarded, once", async () => {
  const { fake, fetch, path, digest, size } = await world({ size: 12 * MIB });
  await stopAfter(fake, fetch, 4 * MIB);
  const partial = await readFile(`${path}.partial`);
  await writeFile(`${path}.partial`, Buffer.alloc(partial.length, 1));
  const { fetched } = await fetch();
  expect(digestOf(await readFile(path))).toBe(digest);
  expect(fetched).toBeGreaterThanOrEqual(size);
});

describe("statuses", () => {
  test("429 is waited out for as long as it says", async () => {
    const { fake, fetch, path, digest } = await world();
    failGets(fake, { kind: "rate-limited", retryAfter: "1" });
    await fetch({ clock: undefined as never });
    const [first, second] = blobGets(fake);
    expect((second?.startedAt ?? 0) - (first?.startedAt ?? 0)).toBeGreaterThanOrEqual(1_000);
    expect(digestOf(await readFile(path))).toBe(digest);
  });

  test.each([
    [50, "is waited out", undefined],
    [90, "is told", "rate-limited"],
  ])("429 for %i s %s: nobody hangs up on a verb, but nobody waits for ever", async (seconds, _, code) => {
    const { fake, digest, path } = await world();
    failGets(fake, { kind: "rate-limited", retryAfter: String(seconds) });
    const clock = new LeapingClock();
    const wanted = { repository, digest, size: 3 * MIB };
    const fetching = fetchBlobFrom(sourceOf(fake, {}, clock), wanted, path, { clock });
    if (code !== undefined) return await expect(fetching).rejects.toMatchObject({ code });
    await fetching;
    expect(digestOf(await readFile(path))).toBe(digest);
  });

  test.each([408, 500, 502, 503, 504])("%i is tried again", async (status) => {
    const { fake, fetch, path, digest } = await world();
    failGets(fake, { kind: "status", status });
    await fetch();
    expect(digestOf(await readFile(path))).toBe(digest);
  });

  test.each([
    [403, "denied"],
    [404, "not-found"],
  ])("%i is not", async (status, code) => {
    const { fake, fetch, directory } = await world();
    failGets(fake, { kind: "status", status }, 99);
    await expect(fetch()).rejects.toMatchObject({ code });
    expect(blobGets(fake)).toHaveLength(1);
    expect(await readdir(directory)).not.toContain("blob");
  });

  test("401 after a token is not", async () => {
    const { fake, fetch } = await world({ mode: "hub" });
    fake.fail(/\/blobs\//, { kind: "status", status: 401 }, { method: "GET", origin: "registry", times: 99 });
    await expect(fetch()).rejects.toMatchObject({ code: "not-found" });
    expect(blobGets(fake).length).toBeLessThanOrEqual(3);
  });
});

describe("broken connections", () => {
  test.each<[string, Fault]>([
    ["a reset", { kind: "reset" }],
    ["a hang-up", { kind: "hang-up" }],
    ["a premature end", { kind: "short", afterBytes: MIB, framing: "fin" }],
  ])("%s is tried again", async (_, fault) => {
    const { fake, fetch, path, digest } = await world();
    failGets(fake, fault);
    await fetch();
    expect(digestOf(await readFile(path))).toBe(digest);
  });

  test("a registry that is down is tried, and named in the error", async () => {
    const { fake, source, digest, directory } = await world();
    await fake.pause();
    const wanted = { repository, digest, size: 3 * MIB };
    const fetching = fetchBlobFrom(source, wanted, join(directory, "blob"), { clock: new HurriedClock() });
    await expect(fetching).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringContaining(fake.host),
    });
  });

  test("a path that cannot be written is not tried again", async () => {
    const { fake, fetch, directory } = await world();
    await expect(fetch({}, join(directory, "absent", "blob"))).rejects.toMatchObject({
      code: "path-invalid",
      message: expect.stringContaining(join(directory, "absent")),
    });
    await expect(fetch({}, directory)).rejects.toMatchObject({ code: "path-invalid" });
    await mkdir(join(directory, "blob.partial"));
    await writeFile(join(directory, "file"), "");
    await expect(fetch({}, join(directory, "file", "blob"))).rejects.toMatchObject({ code: "store-damaged" });
    expect(blobGets(fake)).toHaveLength(0);
  });
});

describe("the budget of tries", () => {
  test("progress renews it", async () => {
    const { fake, fetch, path, digest } = await world({ size: 20 * MIB });
    failGets(fake, { kind: "cut", afterBytes: MIB }, 15);
    await fetch();
    expect(digestOf(await readFile(path))).toBe(digest);
  });

  test("without progress exactly six tries are made", async () => {
    const { fake, fetch } = await world();
    failGets(fake, { kind: "status", status: 500 }, 99);
    await expect(fetch()).rejects.toMatchObject({ code: "upstream-unavailable" });
    expect(blobGets(fake)).toHaveLength(6);
  });
});

describe("an abort", () => {
  test("ends at once on a silent socket, and keeps what is there", async () => {
    const { fake, fetch, path, digest, size } = await world({ size: 12 * MIB });
    const { error, tookMs } = await stopAfter(fake, fetch, 4 * MIB);
    expect(error).toMatchObject({
      code: "aborted",
      message: expect.stringContaining("the same command goes on"),
    });
    expect(tookMs).toBeLessThan(PROMPT_MS);
    fake.forgetRequests();
    const { fetched } = await fetch();
    expect(digestOf(await readFile(path))).toBe(digest);
    expect(fetched).toBeLessThan(size);
  });

  test("drops it when told to", async () => {
    const { fake, fetch, directory } = await world({ size: 12 * MIB });
    await stopAfter(fake, (options) => fetch({ ...options, partial: "drop" }), 4 * MIB);
    expect(await readdir(directory)).toEqual([]);
  });

  test("that came before asks for nothing", async () => {
    const { fake, fetch, directory } = await world();
    await expect(fetch({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    expect(blobGets(fake)).toHaveLength(0);
    expect(await readdir(directory)).not.toContain("blob");
  });
});

test("the descriptor is told before the first byte, and progress only grows, to the end", async () => {
  const { fetch, digest, size, fake } = await world({ size: 12 * MIB });
  fake.settings.bandwidth.registry = 8 * MIB;
  const told: unknown[] = [];
  const reports: Progress[] = [];
  await fetch({
    onDescriptor: (descriptor) => told.push(descriptor, reports.length),
    onProgress: (each) => reports.push(each),
  });
  expect(told).toEqual([{ digest, size, mediaType: "application/octet-stream" }, 0]);
  expect(reports.length).toBeGreaterThan(1);
  const done = reports.map((report) => report.done);
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  expect(reports.at(-1)).toEqual({ phase: "fetch", done: size, total: size });
});

test("a progress callback that throws ends the fetch with its error", async () => {
  const { fetch, fake } = await world({ size: 12 * MIB });
  fake.settings.bandwidth.registry = 4 * MIB;
  const failing = fetch({
    onProgress: () => {
      throw new Error("the bar broke");
    },
  });
  await expect(failing).rejects.toThrow("the bar broke");
});

test("the host that a redirect leads to sees no Authorization", async () => {
  const { fake, fetch, path, digest } = await world({ mode: "hub" });
  await fetch();
  expect(digestOf(await readFile(path))).toBe(digest);
  expect(fake.count({ origin: "cdn" })).toBeGreaterThan(0);
  expect(fake.violations).toEqual([]);
});

test("a blob that is larger than its descriptor says is cut off with an error", async () => {
  const { fake, source, directory, digest } = await world();
  const path = join(directory, "blob");
  const wanted = { repository, digest, size: MIB };
  await expect(fetchBlobFrom(source, wanted, path, { clock: new HurriedClock() })).rejects.toMatchObject({
    code: "size-mismatch",
  });
  expect(await readdir(directory)).not.toContain("blob");
  expect(fake.bytesSentFor(digest)).toBeLessThan(3 * MIB);
});

test("what lies at the path already is not fetched again, and another file there is replaced", async () => {
  const { fake, fetch, path, digest, size } = await world();
  await writeFile(path, Buffer.alloc(size));
  await fetch();
  expect(digestOf(await readFile(path))).toBe(digest);
  fake.forgetRequests();
  await expect(fetch()).resolves.toMatchObject({ fetched: 0 });
  expect(blobGets(fake)).toHaveLength(0);
});

test("a partial of another blob is not gone on from", async () => {
  const { fake, fetch, path, source, digest } = await world({ size: 12 * MIB });
  const other: Digest = fake.addGeneratedBlob({ seed: 8, size: 12 * MIB }, repository.repository);
  await stopAfter(
    fake,
    (options) => fetchBlobFrom(source, { repository, digest: other }, path, options),
    4 * MIB,
  );
  await fetch();
  expect(digestOf(await readFile(path))).toBe(digest);
});

/** Starts a fetch whose bodies fall silent after `bytes`, aborts it then, and waits for its end. */
async function stopAfter(
  fake: FakeRegistry,
  fetch: (options: FetchBlobOptions) => Promise<unknown>,
  bytes: number,
): Promise<{ error: unknown; tookMs: number }> {
  const abort = new AbortController();
  failGets(fake, { kind: "stall", afterBytes: bytes / 8 }, 99);
  const reached = Promise.withResolvers<void>();
  const onProgress = ({ done }: Progress) => {
    if (done >= bytes / 16) reached.resolve();
  };
  const ended = fetch({ signal: abort.signal, onProgress }).then(
    () => expect.unreachable("the fetch should not end by itself"),
    (error: unknown) => error,
  );
  await reached.promise;
  const begunAt = performance.now();
  abort.abort();
  const error = await ended;
  fake.faults.length = 0;
  return { error, tookMs: performance.now() - begunAt };
}
