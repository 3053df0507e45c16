/** Shows where `granary setup docker --proxy` gets the proxy's address and certificate from, and what it asks for where it cannot know them. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openAuthority } from "../../../src/authority/authority.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { runMain } from "../../support/run-main.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

/** Settings with a registry on a port, and beside them an authority for it. */
async function world() {
  const folder = await tempDirectory();
  const data = join(folder, "data");
  const config = join(folder, "granary.yaml");
  await writeFile(config, `storage: { directory: ${data} }\nupstreams: { "registry.lab:5000": {} }\n`);
  const { authority } = await openAuthority(data, ["ghcr.io", "registry.lab"], systemClock);
  const file = join(folder, "docker/daemon.json");
  const granary = (...args: readonly string[]) =>
    runMain(["setup", "docker", "--proxy", "--file", file, "--config", config, ...args]);
  return { folder, config, authority, file, granary };
}

const ON = ["--server-address", "192.0.2.10"];

type Shown = { readonly path: string; readonly text: string };

test("with the authority of the storage directory, for each registry by the name that images have", async () => {
  const { folder, granary, authority, file } = await world();
  const { code, out, err } = await granary(...ON, "--json");
  expect([code, err]).toEqual([0, ""]);
  const files: readonly Shown[] = JSON.parse(out).files;
  const certs = ["ghcr.io", "registry.lab", "registry.lab:5000"].map((name) =>
    join(folder, "docker/certs.d", name, "granary-ca.crt"),
  );
  expect(files.map(({ path }) => path)).toEqual([...certs, file]);
  expect(files[0]?.text).toBe(authority.certificate);
  expect(JSON.parse(files.at(-1)?.text ?? "")).toEqual({
    proxies: { "https-proxy": "http://192.0.2.10:3128" },
  });
});

test("with the file of another Granary's authority, and only for registries that are named", async () => {
  const { granary } = await world();
  const other = await tempDirectory();
  const { authority } = await openAuthority(other, ["quay.io", "nvcr.io"], systemClock);
  const { out } = await granary(
    "--server-address",
    "http://proxy.lab:8080",
    "--ca-file",
    join(other, "authority/ca.crt"),
    "--registry",
    "quay.io",
    "--json",
  );
  const files: readonly Shown[] = JSON.parse(out).files;
  expect(files).toHaveLength(2);
  expect(files[0]).toMatchObject({
    path: expect.stringContaining("/certs.d/quay.io/"),
    text: authority.certificate,
  });
  expect(files[1]?.text).toContain("http://proxy.lab:8080");
});

test("written and undone as any other setup", async () => {
  const { granary, file, folder } = await world();
  const { out } = await granary(...ON, "--write");
  expect(out).toContain(`Made ${file}.\n`);
  expect(out).toContain("Then: sudo systemctl restart docker\n");
  const undo = await runMain(["setup", "docker", "--file", file, "--undo"]);
  expect(undo.out).toContain(`Removed ${file}.\n`);
  expect(undo.out).toContain(`Removed ${join(folder, "docker/certs.d/ghcr.io/granary-ca.crt")}.\n`);
});

describe("is refused", () => {
  test("without an address where the settings have no proxy", async () => {
    const { granary } = await world();
    expect(await granary()).toMatchObject({
      code: 2,
      out: "",
      err: expect.stringContaining("--server-address"),
    });
  });

  test("without a certificate, with where to get it", async () => {
    const { config, file } = await world();
    await writeFile(config, `storage: { directory: ${await tempDirectory()} }\n`);
    const { code, err } = await runMain([
      "setup",
      "docker",
      "--proxy",
      "--file",
      file,
      "--config",
      config,
      ...ON,
    ]);
    expect([code, err]).toEqual([2, expect.stringMatching(/ca\.crt.*--ca-file/)]);
  });

  test.each([
    [["docker", "--server-address", "https://192.0.2.10:3128"], /begins with http:\/\//],
    [["docker", "--username", "me", ...ON], /the proxy asks for no login/],
    [["podman", ...ON], /--proxy goes with docker/],
    [["docker", "--registry", "../x", ...ON], /--registry takes the host/],
  ])("%j", async ([client = "", ...args], sentence) => {
    const { config, file } = await world();
    const { code, out, err } = await runMain([
      "setup",
      client,
      "--proxy",
      "--file",
      file,
      "--config",
      config,
      ...args,
    ]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(sentence);
  });
});
