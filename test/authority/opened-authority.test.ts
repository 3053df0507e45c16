/** Shows that whoever reads the log learns when clients have to trust a new certificate, and when the key was open to others. */
import { chmod, rm } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import type { LeafCertificate } from "../../src/authority/authority.ts";
import { plainUpstream } from "../../src/config/defaults.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { createLog } from "../../src/observe/log.ts";
import { openedAuthority } from "../../src/opened-authority.ts";
import { tempDirectory } from "../support/temp-directory.ts";

/** Opens it for upstreams of these names; returns the messages of the log as well. */
async function open(directory: string, ...names: readonly string[]) {
  const output = new PassThrough();
  const log = createLog({ level: "info", format: "json" }, output);
  const upstreams = names.map((name) => ({ ...plainUpstream(name), tls: undefined }));
  const settings = { storage: { directory, maxSize: 0, minFree: 0 }, upstreams };
  const authority = await openedAuthority(settings, { log, clock: systemClock });
  const lines = String(output.read() ?? "")
    .split("\n")
    .filter((line) => line !== "");
  return { authority, told: lines.map((line) => String(JSON.parse(line).msg)) };
}

test("the first one and one for other hosts are told, the same one is not", async () => {
  const directory = await tempDirectory();
  const { authority, told } = await open(directory, "ghcr.io");
  expect(told).toEqual([expect.stringContaining("clients must trust its certificate")]);
  const leaf: LeafCertificate = await authority.leaf("ghcr.io");
  expect(leaf.cert).toContain(authority.certificate);
  expect((await open(directory, "ghcr.io")).told).toEqual([]);
  const next = await open(directory, "ghcr.io", "registry.lab:5000");
  expect(next.told).toEqual([expect.stringContaining("by the same key")]);
  expect(next.authority.hosts).toEqual(["ghcr.io", "registry.lab"]);
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
