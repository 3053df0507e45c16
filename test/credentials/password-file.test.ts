/** Shows a password that stands in a file: changed there, it counts when the old one is refused, within the same request. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { loadSettings } from "../../src/config/load.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { openSource } from "../../src/open.ts";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { startFake } from "../support/start-upstream.ts";
import { tempDirectory } from "../support/temp-directory.ts";

/** A registry that asks for alice's password, and a Source whose settings name the file with it. */
async function startWorld(mode: "hub" | "plain", settings: object) {
  const users: Record<string, string> = { alice: "old" };
  const fake = await startFake({ mode, settings: { ...settings, users } });
  fake.addImage("org/app", "1", { layers: [10] });
  const directory = await tempDirectory();
  const file = join(directory, "password");
  await writeFile(file, "old\n");
  const config = join(directory, "granary.yaml");
  await writeFile(
    config,
    `upstreams: {lab.example: {endpoints: ["${fake.url}"], internal: true, realms: [127.0.0.2], username: alice, passwordFile: ${file}}}\n`,
  );
  const env = { HOME: directory };
  const source = openSource({ settings: await loadSettings(config, {}), env });
  onTestFinished(() => source.close());
  const pull = async () => (await source.manifest(parseReference("lab.example/org/app:1"))).digest;
  return { fake, users, file, pull };
}

const basic = { auth: "basic" } as const;
/** How the requests that carried a password were answered. */
const answers = (requests: FakeRegistry["requests"]) =>
  requests
    .filter(({ headers }) => headers.authorization?.startsWith("Basic ") === true)
    .map(({ status }) => status);

describe("a passwordFile that changed", () => {
  it("is read when the old password is refused, and the same request goes on with the new one", async () => {
    const { fake, users, file, pull } = await startWorld("plain", basic);
    await pull();
    users.alice = "new";
    await writeFile(file, "new\n");
    const before = fake.requests.length;
    await pull();
    expect(answers(fake.requests.slice(before))).toEqual([401, 200]);
    await pull();
    expect(answers(fake.requests.slice(before))).toEqual([401, 200, 200]);
  });

  it("is read also where the refusal is a 403, as ECR's of a token that has expired", async () => {
    const { fake, file, users, pull } = await startWorld("plain", basic);
    await pull();
    users.alice = "new";
    await writeFile(file, "new");
    fake.fail(/manifests/, { kind: "status", status: 403 }, { times: 1 });
    expect(await pull()).toBeDefined();
  });

  it("buys tokens anew where the registry has a token server", async () => {
    const { fake, file, users, pull } = await startWorld("hub", {
      privateRepositories: new Set(["org/app"]),
    });
    users.alice = "new";
    await writeFile(file, "new");
    expect(await pull()).toBeDefined();
    expect(answers(fake.requests)).toEqual([401, 200]);
  });

  it("is read once for all who are refused at the same time", async () => {
    const { file, users, pull, fake } = await startWorld("plain", basic);
    await pull();
    users.alice = "new";
    await writeFile(file, "new");
    const pulled = await Promise.all(Array.from({ length: 20 }, pull));
    expect(new Set(pulled).size).toBe(1);
    const refused = answers(fake.requests).filter((status) => status === 401);
    expect(refused.length).toBeLessThanOrEqual(20);
  });

  it("and does not help leaves the refusal, which is told once more as it was", async () => {
    const { file, pull, fake, users } = await startWorld("plain", basic);
    await pull();
    users.alice = "another";
    await writeFile(file, "new");
    await expect(pull()).rejects.toMatchObject({ code: "unauthorized" });
    const before = fake.requests.length;
    await expect(pull()).rejects.toMatchObject({ code: "unauthorized" });
    expect(answers(fake.requests.slice(before)), "the same password is not tried twice").toEqual([401]);
  });
});

describe("a passwordFile", () => {
  it("that is the same, empty or gone when the password is refused changes nothing but the answer", async () => {
    const { fake, file, users, pull } = await startWorld("plain", basic);
    await pull();
    users.alice = "new";
    for (const change of [() => undefined, () => writeFile(file, "\n"), () => rm(file)]) {
      await change();
      const before = fake.requests.length;
      await expect(pull()).rejects.toMatchObject({ code: "unauthorized" });
      expect(answers(fake.requests.slice(before))).toEqual([401]);
    }
    await writeFile(file, "new");
    expect(await pull()).toBeDefined();
  });

  it("that is empty at the start is one clear error", async () => {
    const directory = await tempDirectory();
    const config = join(directory, "granary.yaml");
    await writeFile(join(directory, "password"), " \n");
    await writeFile(
      config,
      `upstreams: {docker.io: {username: ann, passwordFile: ${join(directory, "password")}}}\n`,
    );
    await expect(loadSettings(config, {})).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(/upstreams\.docker\.io\.passwordFile: the file .*password is empty/),
    });
  });
});
