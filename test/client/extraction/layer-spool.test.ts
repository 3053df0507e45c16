/** What an extraction over a network relies on: layers come ahead, each byte once, and an interrupted one goes on. */
import { chmod, open as openFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openLayerSpool } from "../../../src/client/extraction/layer-spool.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { OCTET_STREAM } from "../../../src/oci/media-types.ts";
import type { BlobReader } from "../../../src/source.ts";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { sourceOf } from "../../support/source-of.ts";
import { HurriedClock, startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

const MIB = 2 ** 20;
const repository = { registry: "fake.test", repository: "org/app" };

async function world(sizes: readonly number[]) {
  const fake = await startFake({ mode: "plain" });
  const layers = sizes.map((size, index) => ({
    digest: fake.addGeneratedBlob({ seed: index + 1, size }, repository.repository),
    size,
    mediaType: OCTET_STREAM,
  }));
  const directory = join(await tempDirectory(), "layers");
  const open = (signal?: AbortSignal) =>
    openLayerSpool({
      source: sourceOf(fake),
      repository,
      layers,
      directory,
      clock: new HurriedClock(),
      ...(signal !== undefined && { signal }),
    });
  return { fake, layers, directory, open };
}

async function readAll(reader: BlobReader): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = new Uint8Array(MIB);
    const count = await reader.read(chunk);
    if (count === 0) break;
    chunks.push(chunk.subarray(0, count));
  }
  reader.close();
  return Buffer.concat(chunks);
}

function bytesSent(fake: FakeRegistry): number {
  return fake.requests.reduce((sum, request) => sum + (request.kind === "blob" ? request.bytesSent : 0), 0);
}

test("layers are read in order, each byte crosses once, and nothing is left behind", async () => {
  const { fake, layers, directory, open } = await world([3 * MIB, 5 * MIB, 100, 0, 2 * MIB]);
  const spool = await open();
  for (const [index, { digest }] of layers.entries()) {
    expect(digestOf(await readAll(spool.open(index)))).toBe(digest);
  }
  await spool.discard();
  expect(bytesSent(fake)).toBe(10 * MIB + 100);
  expect(await readdir(join(directory, ".."))).toEqual([]);
});

test("layers come ahead of the one that is read", async () => {
  const { fake, layers, open } = await world([MIB, MIB, MIB, MIB]);
  const spool = await open();
  const last = layers.at(-1)?.digest ?? "";
  await expect.poll(() => fake.bytesSentFor(last), { timeout: 60_000 }).toBe(MIB);
  await spool.discard();
});

test("a layer that comes twice is fetched once", async () => {
  const { fake, layers, directory } = await world([MIB]);
  const [layer] = layers;
  if (layer === undefined) throw new Error("one layer");
  const spool = await openLayerSpool({
    source: sourceOf(fake),
    repository,
    layers: [layer, layer],
    directory,
  });
  expect(digestOf(await readAll(spool.open(0)))).toBe(layer.digest);
  expect(digestOf(await readAll(spool.open(1)))).toBe(layer.digest);
  await spool.discard();
  expect(bytesSent(fake)).toBe(MIB);
});

test("a layer that is cut twice is opened three times and comes out exact", async () => {
  const { fake, layers, open } = await world([MIB]);
  fake.fail(/blobs/, { kind: "cut", afterBytes: 1_000 }, { times: 2 });
  const spool = await open();
  expect(digestOf(await readAll(spool.open(0)))).toBe(layers[0]?.digest);
  await spool.discard();
  expect(fake.count({ kind: "blob", method: "GET" })).toBe(3);
});

test("a layer that is not there fails its reader at the first answer", async () => {
  const { fake, open } = await world([MIB]);
  fake.fail(/blobs/, { kind: "status", status: 404 }, { times: 9 });
  const spool = await open();
  await expect(readAll(spool.open(0))).rejects.toMatchObject({ code: "not-found" });
  await spool.discard();
  expect(fake.count({ kind: "blob", method: "GET" })).toBe(1);
});

test("an interrupted one goes on from what is there", async () => {
  const { fake, layers, open } = await world([4 * MIB, 8 * MIB]);
  fake.fail(
    (request) => request.reference === layers[1]?.digest,
    { kind: "stall", afterBytes: MIB / 2 },
    { times: 9 },
  );
  const abort = new AbortController();
  const first = await open(abort.signal);
  await readAll(first.open(0));
  const reader = first.open(1);
  await reader.read(new Uint8Array(1));
  const parked = readAll(reader);
  abort.abort();
  await Promise.all([expect(parked).rejects.toMatchObject({ code: "aborted" }), first.close()]);
  fake.faults.length = 0;
  fake.forgetRequests();
  const second = await open();
  for (const [index, { digest }] of layers.entries()) {
    expect(digestOf(await readAll(second.open(index)))).toBe(digest);
  }
  await second.discard();
  expect(bytesSent(fake)).toBeLessThan(8 * MIB);
});

test("two extractions cannot use one directory", async () => {
  const { open } = await world([MIB]);
  const spool = await open();
  await expect(open()).rejects.toMatchObject({ code: "config-invalid" });
  await spool.discard();
});

test("(F18) a layer that an interrupted extraction left whole is not believed when its bytes are others by now", async () => {
  const { fake, layers, directory, open } = await world([3 * MIB]);
  const spool = await open();
  const { digest } = layers[0] ?? { digest: "" };
  expect(digestOf(await readAll(spool.open(0)))).toBe(digest);
  await spool.close();
  const hex = digest.slice("sha256:".length);
  const path = join(directory, "blobs", "sha256", hex.slice(0, 2), hex);
  await chmod(path, 0o640);
  const file = await openFile(path, "r+");
  await file.write("rot!", MIB);
  await file.close();
  const again = await open();
  expect(digestOf(await readAll(again.open(0)))).toBe(digest);
  await again.discard();
  expect(bytesSent(fake)).toBe(6 * MIB);
});
