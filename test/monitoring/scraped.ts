/** Owns what Prometheus would get from a real Granary: a process that serves a while, its registry a fake one, and what it answers at `/metrics`. */
import { expect } from "vitest";
import { type RequestRecord, startFakeRegistry } from "../support/fake-registry.ts";
import { startServing } from "../support/serving.ts";
import { tempDirectory } from "../support/temp-directory.ts";

export type Scrapes = {
  /** Before anybody has asked for anything. */
  readonly fresh: string;
  /** After pulls that went well. */
  readonly busy: string;
  /** While one more transfer goes on: after one that was cut, evictions, a blob that does not fit, and pulls that failed. */
  readonly troubled: string;
};

const MiB = 2 ** 20;

const isBlobBody = ({ method, path }: RequestRecord) => method === "GET" && path.includes("/blobs/");

let scraped: Promise<Scrapes> | undefined;

/** One process for all tests of a file. The caller is a test. */
export function scrapeGranary(): Promise<Scrapes> {
  scraped ??= scrape();
  return scraped;
}

async function scrape(): Promise<Scrapes> {
  const fake = await startFakeRegistry({ mode: "plain" });
  try {
    fake.settings.rateLimit = { limit: 100, windowSeconds: 21_600 };
    const image = fake.addImage("library/alpine", "3", { layers: [MiB, 40_000] });
    const large = fake.addImage("library/large", "1", { layers: [9 * MiB], seed: 7 });
    const storage = "minFree: 0, maxSize: 8MiB";
    const serving = await startServing({ fake, directory: await tempDirectory(), storage });
    const metrics = async () => (await serving.get("/metrics")).body.toString();
    const get = async (target: string, status: number) =>
      expect((await serving.get(`/v2/library/${target}`)).status, target).toBe(status);

    const fresh = await metrics();
    for (let client = 0; client < 5; client += 1) {
      await get("alpine/manifests/3", 200);
      for (const layer of image.layerDigests) await get(`alpine/blobs/${layer}`, 200);
    }
    const busy = await metrics();
    await get(`large/blobs/${large.layerDigests[0]}`, 200);
    for (const seed of [11, 12, 13]) {
      const { layerDigests } = fake.addImage("library/other", String(seed), { layers: [3 * MiB], seed });
      if (seed === 11) fake.fail(isBlobBody, { kind: "cut", afterBytes: 1_000 });
      await get(`other/blobs/${layerDigests[0]}`, 200);
    }
    await get("none/manifests/1", 404);
    const stuck = fake.addImage("library/stuck", "1", { layers: [MiB], seed: 21 });
    fake.fail(isBlobBody, { kind: "stall", afterBytes: 1_000 });
    // It ends with the process.
    void serving.get(`/v2/library/stuck/blobs/${stuck.layerDigests[0]}`).catch(() => undefined);
    await expect.poll(metrics).toMatch(/^granary_fills\{/m);
    fake.addImage("library/bad", "1", { layers: [1] });
    fake.fail(/manifests/, { kind: "flip", offset: 10 }, { times: 20 });
    await get("bad/manifests/1", 502);
    return { fresh, busy, troubled: await metrics() };
  } finally {
    await fake.close();
  }
}
