/** Shows that a running server says how clients are pointed at it, by the listeners that it has, and what is wrong with it. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { ask } from "../../support/wire.ts";

/** Its listener has a port that the system chose, and is for fake.test. */
async function start() {
  const fake = await startFake({ mode: "plain" });
  const directory = join(await tempDirectory(), "data");
  const serving = await startServing({ fake, directory, more: ["admin: { port: 0 }"] });
  const found = () => /the admin face is at http:\/\/[^"]*:(\d+)"/.exec(serving.lines().join("\n"));
  await expect.poll(found).not.toBeNull();
  const port = Number(found()?.[1]);
  const get = async (target: string) => {
    const { status, body } = await ask(port, target);
    return { status, body: JSON.parse(body.toString()) };
  };
  return { directory, serving, fake, get };
}

test("setup finds the port of the server that runs in the storage directory", async () => {
  const { directory, serving } = await start();
  const config = join(await tempDirectory(), "granary.yaml");
  await writeFile(
    config,
    `storage: { directory: ${directory} }\nlisteners: [{ port: 0, upstream: docker.io }]\n`,
  );
  const file = join(await tempDirectory(), "granary.conf");
  const { out, err, code } = await runMain([
    "setup",
    "podman",
    "-c",
    config,
    "--file",
    file,
    "--registry",
    "quay.io",
  ]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toContain(`location = "127.0.0.1:${serving.port}/quay.io"`);
});

test("the admin face has the listeners, and the files of each client for another machine", async () => {
  const { serving, get } = await start();
  const { body: offers } = await get("/api/v1/setup");
  expect(offers.clients).toEqual(["docker", "containerd", "podman", "k3s", "buildkit", "kind", "ollama"]);
  expect(offers.listeners).toEqual([
    {
      upstream: "fake.test",
      port: serving.port,
      host: "127.0.0.1",
      urls: [`http://127.0.0.1:${serving.port}`],
      wantsLogin: false,
    },
  ]);
  for (const client of offers.clients) {
    const { status, body } = await get(
      `/api/v1/setup/${client}?address=http://granary.lab:5000&registry=docker.io`,
    );
    expect([client, status]).toEqual([client, 200]);
    expect(JSON.stringify(body)).toContain("granary.lab:5000");
    expect(JSON.stringify(body)).not.toContain("nowhere");
  }
  const { body: podman } = await get("/api/v1/setup/podman?registry=docker.io&registry=quay.io");
  expect(podman.files).toEqual([
    {
      path: "/etc/containers/registries.conf.d/granary.conf",
      text: expect.stringContaining(`location = "127.0.0.1:${serving.port}/quay.io"\ninsecure = true\n`),
    },
  ]);
});

test("what cannot be meant is told with its reason", async () => {
  const { get } = await start();
  for (const [target, sentence] of [
    ["/api/v1/setup/docker", "no listener for docker.io"],
    ["/api/v1/setup/docker?address=ftp://x", "--server-address takes the address"],
    ["/api/v1/setup/podman?registry=a/b", "takes the host of a registry"],
    ["/api/v1/setup/lxc", "client"],
  ] as const) {
    const { status, body } = await get(target);
    expect([target, status, body.error.code]).toEqual([target, 400, "config-invalid"]);
    expect(body.error.message).toContain(sentence);
  }
});

test("the admin face has what the doctor says of the server, and what it says when the upstream is gone", async () => {
  const { fake, get } = await start();
  const { body: well } = await get("/api/v1/doctor");
  expect(well.findings.filter(({ level }: { level: string }) => level === "wrong")).toEqual([]);
  expect(well.well).toBe(true);
  fake.faults.push({ match: /manifests/, times: 100, fault: { kind: "rate-limited", retryAfter: "3600" } });
  const { body: ill } = await get("/api/v1/doctor");
  expect(ill.well).toBe(false);
  expect(ill.findings).toContainEqual(
    expect.objectContaining({ area: "upstream fake.test", level: "wrong" }),
  );
});
