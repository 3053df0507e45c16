/** Shows how the layers of an image come: progress in one count, retries, interruptions, and what is left beside the target. */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { type UnpackOptions, unpackImage } from "../../../src/client/extraction/unpack-image.ts";
import type { Progress } from "../../../src/client/fetching/progress.ts";
import { GranaryError } from "../../../src/errors.ts";
import type { Descriptor } from "../../../src/oci/descriptor.ts";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { PROMPT_MS } from "../../support/patience.ts";
import { patternBytes } from "../../support/pattern.ts";
import { sourceOf } from "../../support/source-of.ts";
import { HurriedClock, startFake } from "../../support/start-upstream.ts";
import { directory, file, tarLayer } from "../../support/tar-layer.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { extractLayers, memoryImage, memoryReader, treeOf } from "./extract-world.ts";

const MIB = 2 ** 20;

async function registryWorld() {
  const layers = [
    [directory("d"), file("d/a", patternBytes(1, 0, MIB))],
    [file("d/b", patternBytes(2, 0, 8 * MIB))],
    [file("c", "1"), file(".wh.d")],
  ];
  const { image, blobs } = memoryImage(layers);
  const fake = await startFake({ mode: "plain" });
  for (const bytes of blobs.values()) fake.addBlob(bytes, image.reference.repository);
  const beside = await tempDirectory();
  const extract = (options: UnpackOptions = {}) =>
    unpackImage({ ...image, source: sourceOf(fake) }, join(beside, "root"), {
      clock: new HurriedClock(),
      ...options,
    });
  const total = [...blobs.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  return { fake, image, beside, extract, total, layers: image.view.layers };
}

const bytesSent = (fake: FakeRegistry) =>
  fake.requests.reduce((sum, request) => sum + (request.kind === "blob" ? request.bytesSent : 0), 0);

test("progress counts all compressed bytes once, then the entries that are finished, and only grows", async () => {
  const { extract, total, beside } = await registryWorld();
  const reports: Progress[] = [];
  await extract({ onProgress: (progress) => reports.push(progress) });
  const entries = 1 + (await readdir(join(beside, "root"), { recursive: true })).length;
  const fetched = reports.filter(({ phase }) => phase === "fetch");
  const finished = reports.filter(({ phase }) => phase === "extract");
  expect(reports).toEqual([...fetched, ...finished]);
  for (const [phase, sum] of [[fetched, total] as const, [finished, entries] as const]) {
    expect(phase.at(0)).toMatchObject({ done: 0, total: sum });
    expect(phase.at(-1)).toMatchObject({ done: sum, total: sum });
    expect(phase.map(({ done }) => done)).toEqual(phase.map(({ done }) => done).toSorted((a, b) => a - b));
    expect(new Set(phase.map((report) => report.total)).size).toBe(1);
  }
  expect(fetched.length).toBeGreaterThan(10);
});

test("an image without layers is an empty directory, and its progress ends too", async () => {
  const reports: Progress[] = [];
  const { tree, extraction } = await extractLayers([], { onProgress: (progress) => reports.push(progress) });
  expect(tree).toEqual({});
  expect(extraction).toMatchObject({ layers: 0, entries: 0, bytes: 0 });
  expect(reports).toEqual([
    { phase: "fetch", done: 0, total: 0 },
    { phase: "extract", done: 0, total: 1 },
    { phase: "extract", done: 1, total: 1 },
  ]);
});

test("each byte of a layer crosses once, and nothing is left beside the target", async () => {
  const { fake, beside, extract, total } = await registryWorld();
  await extract();
  expect(bytesSent(fake)).toBe(total);
  expect(await treeOf(beside)).toEqual({ root: "755/", "root/c": "644 1" });
});

test("layers lie in the temporary directory that is given, while they are needed", async () => {
  const { beside, extract } = await registryWorld();
  const temporaryDirectory = join(beside, "temporary");
  await mkdir(temporaryDirectory);
  const seen = new Set<string>();
  let reading: Promise<unknown> = Promise.resolve();
  await extract({
    temporaryDirectory,
    onProgress: () => {
      reading = readdir(temporaryDirectory).then((names) => {
        for (const name of names) seen.add(name);
      });
    },
  });
  await reading;
  expect([...seen]).toEqual([expect.stringMatching(/^granary-layers-[0-9a-f]{32}$/)]);
  expect(await readdir(temporaryDirectory)).toEqual([]);
});

test("a layer that is cut twice is asked for three times and comes out exact", async () => {
  const { fake, beside, extract, layers } = await registryWorld();
  const digest = layers[0]?.digest ?? "";
  fake.fail(new RegExp(digest), { kind: "cut", afterBytes: 1000 }, { times: 2 });
  await extract();
  expect(fake.matching({ kind: "blob" }).filter(({ path }) => path.endsWith(digest))).toHaveLength(3);
  expect(await treeOf(beside)).toEqual({ root: "755/", "root/c": "644 1" });
});

test("what another try cannot mend is asked for once, what never mends is given up; nothing is left", async () => {
  const { fake, beside, extract, layers } = await registryWorld();
  const blob = new RegExp(layers[0]?.digest ?? "");
  fake.fail(blob, { kind: "status", status: 404 }, { times: 1 });
  await expect(extract()).rejects.toMatchObject({ code: "not-found" });
  expect(await readdir(beside)).toEqual([]);
  fake.faults.length = 0;
  fake.fail(blob, { kind: "reset" }, { times: 1000 });
  await expect(extract()).rejects.toMatchObject({ code: "upstream-unavailable" });
  expect(await readdir(beside)).toEqual([".root.granary-layers"]);
});

test("wrong bytes are told as such, also where unpacking them breaks first", async () => {
  const archive = tarLayer([file("a", patternBytes(1, 0, 300_000))]);
  const openLayer = (descriptor: Descriptor) => {
    const good = gzipSync(archive);
    const bad = Buffer.from(good).fill(0xff, 5000, 5100);
    const reader = memoryReader(bad);
    return {
      ...reader,
      async read(into: Uint8Array) {
        const count = await reader.read(into);
        if (count === 0) throw new GranaryError("digest-mismatch", `The bytes are not ${descriptor.digest}.`);
        return count;
      },
    };
  };
  await expect(extractLayers([archive], { openLayer })).rejects.toMatchObject({ code: "digest-mismatch" });
});

test("an abort ends a stalled extraction at once, keeps what was fetched, and the same call goes on from there", async () => {
  const { fake, beside, extract, layers, total } = await registryWorld();
  const second = layers[1]?.digest ?? "";
  fake.fail((request) => request.path.endsWith(second), { kind: "stall", afterBytes: MIB - 1 }, { times: 9 });
  const abort = new AbortController();
  let abortedAt = 0;
  const onProgress = ({ done }: Progress) => {
    if (done <= 1.5 * MIB || abort.signal.aborted) return;
    abortedAt = Date.now();
    abort.abort();
  };
  await expect(extract({ signal: abort.signal, onProgress })).rejects.toMatchObject({
    code: "aborted",
    message: expect.stringMatching(
      /are kept in .*\.root\.granary-layers, and the same command goes on from there/,
    ),
  });
  expect(Date.now() - abortedAt).toBeLessThan(PROMPT_MS);
  expect(await readdir(beside)).toEqual([".root.granary-layers"]);
  fake.faults.length = 0;
  fake.forgetRequests();
  await extract();
  expect(bytesSent(fake)).toBeLessThan(total - MIB);
  expect(await treeOf(beside)).toEqual({ root: "755/", "root/c": "644 1" });
});

test("an abort before the begin and one at the very end leave the target untouched", async () => {
  for (const phase of ["before", "fetch", "extract"]) {
    const { beside, extract } = await registryWorld();
    const abort = new AbortController();
    if (phase === "before") abort.abort();
    const onProgress = (progress: Progress) => {
      if (progress.phase === phase) abort.abort();
    };
    await expect(extract({ signal: abort.signal, onProgress })).rejects.toMatchObject({ code: "aborted" });
    expect((await readdir(beside)).filter((name) => name !== ".root.granary-layers")).toEqual([]);
  }
});

test("what the progress callback throws ends the extraction, unchanged", async () => {
  const failure = new Error("no more, please");
  const { beside, extract } = await registryWorld();
  const onProgress = ({ done }: Progress) => {
    if (done > MIB) throw failure;
  };
  await expect(extract({ onProgress })).rejects.toBe(failure);
  expect(await readdir(beside)).toEqual([]);
});
