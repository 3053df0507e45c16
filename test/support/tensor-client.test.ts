/** Shows that the tensor stand-in asks, resumes, checks and gives up as the real puller does. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FakeRegistry, startFakeRegistry } from "./fake-registry.ts";
import { patternBytes } from "./pattern.ts";
import { pullTensors, type TensorBlob, type TensorPull } from "./tensor-client.ts";

const SIZE = 300_000;

let fake: FakeRegistry;
let directory: string;
beforeEach(async () => {
  fake = await startFakeRegistry({ mode: "ollama" });
  directory = await mkdtemp(join(tmpdir(), "granary-tensors-"));
});
afterEach(async () => {
  await fake.close();
  await rm(directory, { recursive: true });
});

function pull(blobs: TensorBlob[], more: Partial<TensorPull> = {}): Promise<void> {
  return pullTensors({ registry: fake.url, repository: "x/tensors", blobs, directory, ...more });
}

test("The tensor puller asks twice for a blob that is served directly, and once where it is redirected", async () => {
  const digest = fake.addGeneratedBlob({ seed: 9, size: SIZE });
  await pull([{ digest, size: SIZE }]);
  expect(fake.bytesSentFor(digest)).toBe(SIZE);
  fake.settings.getBlob = "direct";
  fake.forgetRequests();
  await pull([{ digest, size: SIZE }]);
  expect(fake.bytesSentFor(digest)).toBe(2 * SIZE);
  expect(fake.requests.map(({ headers }) => headers["user-agent"])).toEqual(
    Array(2).fill("ollama-transfer/1.0"),
  );
});

test("A wrong size is refused, and a server error lasts six attempts", async () => {
  const digest = fake.addGeneratedBlob({ seed: 9, size: SIZE });
  await expect(pull([{ digest, size: 5 }])).rejects.toThrow("size mismatch");
  fake.forgetRequests();
  fake.fail(/blobs/, { kind: "status", status: 503 }, { times: 6, origin: "registry" });
  await expect(pull([{ digest, size: SIZE }])).rejects.toThrow("status 503");
  expect(fake.count({ origin: "registry" })).toBe(6);
});

test("A big blob that an earlier pull began goes on from where it is, with an open range", async () => {
  const digest = fake.addGeneratedBlob({ seed: 9, size: SIZE });
  await writeFile(join(directory, `${digest.replace(":", "-")}.tmp`), patternBytes(9, 0, 100_000));
  await pull([{ digest, size: SIZE }], { resumeFrom: SIZE });
  const [resumed] = fake.matching({ origin: "cdn" });
  expect(resumed?.range).toBe("bytes=100000-");
  expect(resumed?.status).toBe(206);
});
