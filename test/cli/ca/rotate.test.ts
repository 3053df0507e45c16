/** Shows that the authority's key is replaced only while nobody signs with it, and what a dry run says. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openAuthority } from "../../../src/authority/authority.ts";
import { certificateFacts } from "../../../src/authority/certificate-facts.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { caWorld, HOSTS } from "./ca-world.ts";

test("another key and certificate, for the upstreams of the settings", async () => {
  const { granary, certificate, caFile, folder } = await caWorld();
  const config = join(folder, "granary.yaml");
  await writeFile(config, "upstreams:\n  registry.lab: {}\n");
  const { code, out } = await granary("rotate", "--config", config, "--json");
  expect(code).toBe(0);
  const { before, after } = JSON.parse(out);
  expect(before).toEqual(certificateFacts(certificate));
  expect(after).toEqual(certificateFacts(await readFile(caFile, "utf8")));
  expect(after.fingerprint).not.toBe(before.fingerprint);
  expect(after.hosts).toContain("registry.lab");
});

test("a person is told that every client must trust it anew", async () => {
  const { granary } = await caWorld();
  expect((await granary("rotate")).out).toMatch(/SHA-256[\s\S]*Every client must trust it now/);
});

test("a dry run changes nothing", async () => {
  const { granary, directory, certificate } = await caWorld();
  expect((await granary("rotate", "--dry-run")).out).toContain("Nothing was changed.");
  expect(JSON.parse((await granary("rotate", "--dry-run", "--json")).out)).toEqual({
    before: certificateFacts(certificate),
    after: null,
    dryRun: true,
  });
  const { made, authority } = await openAuthority(directory, HOSTS, systemClock);
  expect([made, authority.certificate]).toEqual(["opened", certificate]);
});

test("is refused while a server runs there, which would go on with the old key", async () => {
  const { granary, directory, certificate, caFile } = await caWorld();
  await startServing({ fake: await startFake({ mode: "plain" }), directory });
  const { code, out, err } = await granary("rotate");
  expect([code, out]).toEqual([1, ""]);
  expect(err).toContain(`A Granary runs in ${directory}`);
  expect(err).toContain("stop it");
  expect(await readFile(caFile, "utf8")).toBe(certificate);
});

test("without an authority there is nothing to rotate, and none is made", async () => {
  const { granary, directory } = await caWorld();
  await rm(join(directory, "authority"), { recursive: true });
  expect(await granary("rotate")).toMatchObject({
    code: 3,
    out: "",
    err: expect.stringContaining("section proxy"),
  });
});

test("mends a key that is gone", async () => {
  const { granary, directory } = await caWorld();
  await rm(join(directory, "authority/ca.key"));
  expect(await granary("rotate")).toMatchObject({ code: 0 });
  await expect(openAuthority(directory, HOSTS, systemClock)).resolves.toBeDefined();
});
