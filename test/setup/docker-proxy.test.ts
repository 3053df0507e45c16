/** Shows that a Docker engine is sent through the proxy in place of a mirror, that its own exceptions stay, and that an undo leaves nothing of it. */
import { describe, expect, test } from "vitest";
import { carryOut } from "../../src/setup/carry-out.ts";
import { planProxySetup } from "../../src/setup/setup-client.ts";
import { type SetupWorld, setupWorld } from "./support.ts";

const URL_OF_PROXY = "http://granary.lab:3128";
const ON = { url: URL_OF_PROXY, certificate: "PEM\n", registries: ["ghcr.io", "registry.lab:5000"] };

async function setUp(world: SetupWorld): Promise<void> {
  await carryOut((await planProxySetup(ON, world.path("daemon.json"))).files);
}

describe("setup docker --proxy", () => {
  test("names the proxy for https, puts its authority where Docker looks for each registry, and undo removes all of it", async () => {
    const world = await setupWorld("docker", "daemon.json");
    await setUp(world);
    expect(JSON.parse(await world.read("daemon.json"))).toEqual({ proxies: { "https-proxy": URL_OF_PROXY } });
    expect(await world.read("certs.d/ghcr.io/granary-ca.crt")).toBe("PEM\n");
    expect(await world.read("certs.d/registry.lab:5000/granary-ca.crt")).toBe("PEM\n");
    const again = await planProxySetup(ON, world.path("daemon.json"));
    expect(again.files.every(({ now, next }) => now === next)).toBe(true);
    await world.undo();
    expect(await world.files()).toEqual([]);
  });

  test("keeps no-proxy, everything else and the layout, and undo brings another proxy back to the byte", async () => {
    const before = `{\n    "debug": true,\n    "proxies": {\n        "https-proxy": "http://proxy.lab:8080",\n        "no-proxy": "10.0.0.0/8,.lab"\n    }\n}\n`;
    const world = await setupWorld("docker", "daemon.json", { "daemon.json": before });
    await setUp(world);
    expect(await world.read("daemon.json")).toBe(before.replace("http://proxy.lab:8080", URL_OF_PROXY));
    await world.undo();
    expect(await world.read("daemon.json")).toBe(before);
    expect(await world.files()).toEqual(["daemon.json"]);
  });

  test("takes the place of the mirror that an earlier setup wrote, and the other way round", async () => {
    const world = await setupWorld("docker", "daemon.json", { "daemon.json": '{\n  "debug": true\n}\n' });
    await world.setUp();
    await setUp(world);
    expect(JSON.parse(await world.read("daemon.json"))).toEqual({
      debug: true,
      proxies: { "https-proxy": URL_OF_PROXY },
    });
    await world.setUp();
    expect(JSON.parse(await world.read("daemon.json"))).toEqual({
      debug: true,
      "registry-mirrors": ["http://granary.lab:5000"],
    });
  });

  test("says that Docker has to be restarted, and what Docker Hub needs besides", async () => {
    const world = await setupWorld("docker", "daemon.json");
    const { restart, notes } = await planProxySetup(ON, world.path("daemon.json"));
    expect(restart).toEqual(["sudo systemctl restart docker"]);
    expect(notes.join("\n")).toMatch(/23\.0[\s\S]*no-proxy[\s\S]*granary ca install/);
  });
});
