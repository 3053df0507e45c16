/** Shows `--ca-file`: a registry with a certificate of one's own authority is reached, and a file that is none is one clear error. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { getImageDigest } from "../../src/index.ts";
import { caPem, clientKey, serverCert, serverKey } from "../support/throwaway-tls.ts";
import { verbWorld } from "./verb-world.ts";

const tls = { cert: serverCert, key: serverKey };

test("an own authority is named by --ca-file, and its want says so, exit code 1", async () => {
  const world = await verbWorld({ mode: "plain", tls });
  const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [10] });
  await writeFile(join(world.directory, "ca.pem"), caPem);
  const args = ["image", "digest", "registry.test/a/b:1", "--via", world.fake.url];
  expect(await world.run([...args, "--ca-file", "ca.pem"])).toMatchObject({
    code: 0,
    out: `${manifestDigest}\n`,
  });
  const { code, err } = await world.run(args);
  expect(code).toBe(1);
  expect(err).toMatch(/--ca-file/);
  expect(err).not.toMatch(/check the address/);
});

test("a file without a certificate is one sentence of use, and nothing is asked", async () => {
  const { fake, directory } = await verbWorld({ mode: "plain", tls });
  const options = { via: fake.url };
  for (const [text, sentence] of [
    ["no pem", /caFile \(--ca-file\): the file .*bad\.pem holds no certificate in PEM form/],
    [clientKey, /holds no certificate in PEM form/],
    [caPem.replace("MIIB", "AAAA"), /certificate 1 of 1 in it cannot be read/],
  ] as const) {
    const caFile = join(directory, "bad.pem");
    await writeFile(caFile, text);
    await expect(getImageDigest("registry.test/a/b:1", { ...options, caFile }), text).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(sentence),
    });
  }
  const nowhere = join(directory, "none.pem");
  await expect(getImageDigest("registry.test/a/b:1", { ...options, caFile: nowhere })).rejects.toMatchObject({
    code: "config-invalid",
    message: expect.stringContaining("none.pem cannot be read"),
  });
  expect(fake.connections).toBe(0);
});
