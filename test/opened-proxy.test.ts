/** Shows that whoever reads the log learns when clients have to trust a new certificate, and when the key was open to others. */
import { chmod, rm } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { plainUpstream } from "../src/config/defaults.ts";
import { systemClock } from "../src/observe/clock.ts";
import { createLog } from "../src/observe/log.ts";
import { OpenedProxy } from "../src/opened-proxy.ts";
import { tempDirectory } from "./support/temp-directory.ts";

const relaying = {
  isServing: () => false,
  isTokenServerAway: async () => false,
  relay: () => Promise.reject(new Error("nothing is relayed here")),
  connect: () => Promise.reject(new Error("nothing is connected here")),
};

/** Opens it for upstreams of these names; returns the messages of the log as well. */
async function open(directory: string, ...names: readonly string[]) {
  const output = new PassThrough();
  const log = createLog({ level: "info", format: "json" }, output);
  const storage = { directory, maxSize: 0, minFree: 0 };
  const { means } = new OpenedProxy({ storage }, { log, clock: systemClock, relaying, env: {} });
  const authority = await means.certificates(names.map((name) => plainUpstream(name)));
  const lines = String(output.read() ?? "")
    .split("\n")
    .filter((line) => line !== "");
  return { authority, told: lines.map((line) => String(JSON.parse(line).msg)) };
}

test("the first one and one for other hosts are told, the same one is not", async () => {
  const directory = await tempDirectory();
  const { authority, told } = await open(directory, "ghcr.io");
  expect(told).toEqual([expect.stringContaining("clients must trust its certificate")]);
  expect((await authority.leaf("ghcr.io")).cert).toContain("BEGIN CERTIFICATE");
  expect((await open(directory, "ghcr.io")).told).toEqual([]);
  const next = await open(directory, "ghcr.io", "registry.lab:5000");
  expect(next.told).toEqual([expect.stringContaining("by the same key")]);
  expect((await next.authority.leaf("registry.lab")).cert).toContain("BEGIN CERTIFICATE");
});

test("a key that others could read is told with what to do", async () => {
  const directory = await tempDirectory();
  await open(directory, "ghcr.io");
  await chmod(join(directory, "authority/ca.key"), 0o640);
  expect((await open(directory, "ghcr.io")).told).toEqual([expect.stringContaining("granary ca rotate")]);
});

test("without its key it is not opened", async () => {
  const directory = await tempDirectory();
  await open(directory, "ghcr.io");
  await rm(join(directory, "authority/ca.key"));
  await expect(open(directory, "ghcr.io")).rejects.toMatchObject({ code: "store-damaged" });
});
