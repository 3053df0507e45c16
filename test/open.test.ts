/** Shows that settings become a Mirror on real drivers, that it lets go of everything, and that a failure leaves nothing open. */
import { mkdir, readdir, readlink, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { expect, it } from "vitest";
import type { Settings } from "../src/config/settings.ts";
import { systemClock } from "../src/observe/clock.ts";
import { silentLog } from "../src/observe/log.ts";
import { createMetrics } from "../src/observe/metrics.ts";
import { openMirror } from "../src/open.ts";
import type { Upstream } from "../src/upstream/policy.ts";
import { eventually } from "./support/patience.ts";
import { startFake } from "./support/start-upstream.ts";
import { tempDirectory } from "./support/temp-directory.ts";
import { upstreamOf } from "./support/upstream-of.ts";

const target = {
  kind: "manifest",
  upstream: "fake.test",
  repository: "a/b",
  reference: { tag: "1" },
} as const;
const ask = { loggedIn: false, userAgent: undefined, accept: [] };

function settingsOf(directory: string, upstream: Upstream): Settings {
  return {
    listeners: [],
    storage: { directory, maxSize: 2 ** 30, minFree: 0 },
    upstreams: [{ ...upstream, tls: undefined }],
    clients: { maxConnections: 100, maxConnectionsPerAddress: 100, stallMs: 60_000 },
    drainMs: 1_000,
    log: { level: "silent", format: "json" },
  };
}

function observers() {
  return { log: silentLog, metrics: createMetrics(), clock: systemClock };
}

async function openFilesBelow(directory: string): Promise<string[]> {
  const names = await readdir("/proc/self/fd").catch(() => []);
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
  return targets.filter((path) => path.startsWith(directory));
}

it("serves, closes twice without harm, lets go of the directory, and opens it again", async () => {
  const fake = await startFake({ mode: "hub" });
  fake.addImage("a/b", "1", { layers: [10] });
  const directory = await tempDirectory();
  const settings = settingsOf(directory, upstreamOf(fake));
  for (const outcome of ["miss", "hit"]) {
    const mirror = await openMirror(settings, observers());
    expect((await mirror.manifest(target, ask)).outcome).toBe(outcome);
    await Promise.all([mirror.close(1_000), mirror.close(1_000)]);
    await mirror.close(1_000);
    expect(await openFilesBelow(directory)).toEqual([]);
  }
});

it("a smaller or larger storage.maxSize counts for the database too, without a restart", async () => {
  const MiB = 2 ** 20;
  const fake = await startFake({ mode: "plain" });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const settings = settingsOf(await tempDirectory(), upstreamOf(fake));
  const of = (maxSize: number) => ({ ...settings, storage: { ...settings.storage, maxSize } });
  const mirror = await openMirror(of(16 * 16 * MiB), observers());
  const pull = async (tag: string) => {
    const document = { schemaVersion: 2, mediaType, layers: [], annotations: { note: tag.padEnd(MiB, "x") } };
    fake.addManifest("a/b", tag, Buffer.from(JSON.stringify(document)), mediaType);
    await mirror.manifest({ ...target, reference: { tag } }, ask);
  };
  const database = async () => (await mirror.status()).disk.used;
  for (let index = 0; index < 14; index++) await pull(`t${index}`);
  expect(await database()).toBeGreaterThan(9 * MiB);
  await mirror.renew(of(16 * 8 * MiB));
  // Tags stay until their registry was asked and has answered.
  let more = 0;
  await eventually(async () => {
    await pull(`n${more++}`);
    expect(await database()).toBeLessThan(8 * MiB);
  });
  await mirror.renew(of(16 * 16 * MiB));
  for (let index = 0; index < 14; index++) await pull(`u${index}`);
  expect(await database()).toBeGreaterThan(9 * MiB);
  await mirror.close(1_000);
});

it("a directory in use is refused by name", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = await tempDirectory();
  const mirror = await openMirror(settingsOf(directory, upstreamOf(fake)), observers());
  const second = openMirror(settingsOf(directory, upstreamOf(fake)), observers());
  await expect(second).rejects.toMatchObject({ code: "config-invalid" });
  await mirror.close(1_000);
});

it("a directory in use is left as it is: nothing is reconciled or cleared away before it is ours", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = await tempDirectory();
  await (await openMirror(settingsOf(directory, upstreamOf(fake)), observers())).close(1_000);
  // Held by what cannot be seen from here: another container, say.
  const holder = new Sqlite(join(directory, "granary.db"));
  holder.pragma("locking_mode = EXCLUSIVE");
  holder.exec("BEGIN EXCLUSIVE");
  const partial = join(directory, "partial", "sha256", "a".repeat(64));
  await writeFile(partial, "what a fill of theirs has so far");
  await rm(join(directory, "blobs", "sha512"), { recursive: true });
  const before = await readdir(directory, { recursive: true });
  await expect(openMirror(settingsOf(directory, upstreamOf(fake)), observers())).rejects.toMatchObject({
    code: "config-invalid",
    message: expect.stringContaining("in use by another process. Stop that one, or set storage.directory"),
  });
  expect(await readdir(directory, { recursive: true })).toEqual(before);
  holder.close();
  await (await openMirror(settingsOf(directory, upstreamOf(fake)), observers())).close(1_000);
  expect(await readdir(join(directory, "partial", "sha256"))).toEqual([]);
});

it("a damaged database stops the start, is left as it is, and the directory is free again", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = await tempDirectory();
  const settings = settingsOf(directory, upstreamOf(fake));
  await (await openMirror(settings, observers())).close(1_000);
  await writeFile(join(directory, "granary.db"), "this is no database".repeat(100));
  for (let pass = 0; pass < 2; pass++) {
    await expect(openMirror(settings, observers())).rejects.toMatchObject({ code: "store-damaged" });
    expect(await openFilesBelow(directory)).toEqual([]);
  }
});

it("what cannot be reconciled keeps nobody from starting, and is told", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = await tempDirectory();
  const settings = settingsOf(directory, upstreamOf(fake));
  await (await openMirror(settings, observers())).close(1_000);
  const strange = join(directory, "partial", "sha256", `${"a".repeat(64)}.map`);
  await mkdir(strange);
  const mirror = await openMirror(settings, observers());
  expect((await mirror.status()).troubles).toEqual([
    expect.stringMatching(/^Not all that lies in the store could be looked at \(.*a{64}\.map.*restart it\.$/),
  ]);
  await mirror.close(1_000);
  expect(await openFilesBelow(directory)).toEqual([]);
  await rmdir(strange);
  const again = await openMirror(settings, observers());
  expect((await again.status()).troubles).toEqual([]);
  await again.close(1_000);
});
