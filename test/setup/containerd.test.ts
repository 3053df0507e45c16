/** Shows that containerd gets a hosts.toml for each registry, and the one key without which Kubernetes reads none. */
import { stat } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { HUB, QUAY, setupWorld, target } from "./support.ts";

const CONFIG = "containerd/config.toml";
const HOSTS = "containerd/certs.d/docker.io/hosts.toml";

describe("setup containerd", () => {
  test("makes hosts.toml and config.toml where there are none, and removes them again", async () => {
    const world = await setupWorld("containerd", CONFIG);
    await world.setUp(
      target({ registries: [HUB, QUAY, { name: "reg.lab:5000", server: "http://reg.lab:5000" }] }),
    );
    expect(await world.read(HOSTS)).toBe(`server = "https://registry-1.docker.io"

[host."http://granary.lab:5000"]
  capabilities = ["pull", "resolve"]
`);
    expect(await world.read("containerd/certs.d/reg.lab_5000_/hosts.toml")).toContain(
      'server = "http://reg.lab:5000"',
    );
    expect(await world.read(CONFIG)).toBe(`version = 2

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "${world.path("containerd/certs.d")}"
`);
    await world.undo();
    expect(await world.files()).toEqual([]);
    await expect(stat(world.path("containerd"))).rejects.toThrow("ENOENT");
  });

  /** What containerd's own \`config default\` and packages write. */
  const configs: Record<string, readonly [before: string, table: string]> = {
    "version 2 with an empty key": [
      'version = 2\n[plugins]\n  [plugins."io.containerd.grpc.v1.cri"]\n    [plugins."io.containerd.grpc.v1.cri".registry]\n      config_path = ""\n\n      [plugins."io.containerd.grpc.v1.cri".registry.mirrors]\n',
      "io.containerd.grpc.v1.cri",
    ],
    "version 3": [
      "version = 3 # ours\n\n[plugins.'io.containerd.cri.v1.images']\n  x = 1\n",
      "io.containerd.cri.v1.images",
    ],
    "version 4": ["version = 4\n", "io.containerd.cri.v1.images"],
    "version 1, which has no number": ["[plugins.cri]\n  sandbox_image = 'x'\n", "cri"],
  };
  for (const [what, [before, plugin]] of Object.entries(configs)) {
    test(`sets config_path in the table of ${what}, and brings the file back to the byte`, async () => {
      const world = await setupWorld("containerd", CONFIG, { [CONFIG]: before });
      await world.setUp();
      const { parseToml } = await import("../../src/setup/formats/toml-text.ts");
      expect(parseToml(await world.read(CONFIG)).tree).toMatchObject({
        plugins: { [plugin]: { registry: { config_path: world.path("containerd/certs.d") } } },
      });
      await world.undo();
      expect(await world.read(CONFIG)).toBe(before);
    });
  }

  test("uses the folder that is configured, and leaves config.toml alone then", async () => {
    const world = await setupWorld("containerd", CONFIG);
    const config = `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${world.path("elsewhere")}"\n`;
    await world.write(CONFIG, config);
    await world.setUp();
    expect(await world.read("elsewhere/docker.io/hosts.toml")).toContain("granary.lab");
    expect(await world.read(CONFIG)).toBe(config);
    await world.undo();
    expect(await world.files()).toEqual([CONFIG]);
  });

  test("finds the folder in a file that config.toml imports, too", async () => {
    const world = await setupWorld("containerd", CONFIG);
    await world.write(CONFIG, 'version = 3\nimports = ["conf.d/*.toml"]\n');
    const folder = world.path("containerd/hosts");
    await world.write(
      "containerd/conf.d/reg.toml",
      `[plugins."io.containerd.cri.v1.images".registry]\nconfig_path = "${folder}"\n`,
    );
    await world.setUp();
    expect(await world.read("containerd/hosts/docker.io/hosts.toml")).toContain("granary.lab");
  });

  test("leaves the configuration of Docker's packages alone, where the plugin is off, and says so", async () => {
    const config = '#   Copyright\n\ndisabled_plugins = ["cri"]\n';
    const world = await setupWorld("containerd", CONFIG, { [CONFIG]: config });
    const { notes } = await world.plan();
    expect(notes.join("\n")).toContain("switches the CRI plugin off");
    await world.setUp();
    expect(await world.read(CONFIG)).toBe(config);
    expect(await world.read(HOSTS)).toContain("granary.lab");
  });

  test("warns of several folders in one key, of which some releases read none", async () => {
    const world = await setupWorld("containerd", CONFIG);
    await world.write(
      CONFIG,
      `version = 3\n[plugins."io.containerd.cri.v1.images".registry]\nconfig_path = "${world.path("a")}:/etc/docker/certs.d"\n`,
    );
    expect((await world.plan()).notes.join("\n")).toContain("containerd/containerd#12808");
  });

  test("refuses a folder whose place depends on where containerd was started", async () => {
    const before = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "certs.d"\n';
    const world = await setupWorld("containerd", "config.toml", { "config.toml": before });
    await expect(world.setUp()).rejects.toThrow(/config_path is "certs\.d".*write the whole path there/);
    expect(await world.files()).toEqual(["config.toml"]);
    await world.undo();
  });

  test("refuses mirrors in the older form, with which containerd would not start", async () => {
    const config =
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\n  endpoint = ["https://mirror.gcr.io"]\n';
    const world = await setupWorld("containerd", CONFIG, { [CONFIG]: config });
    await expect(world.setUp()).rejects.toThrow(/names mirrors in the older form .* run this again/);
    expect(await world.files()).toEqual([CONFIG]);
  });

  test("puts itself before the hosts that are there, and keeps a server that is there", async () => {
    const before = `# by hand\nserver = "https://registry.example.com"\n\n[host."https://old.lab"]\n  capabilities = ["pull", "resolve"] # all\n`;
    const world = await setupWorld("containerd", CONFIG, { [HOSTS]: before });
    await world.setUp();
    const after = await world.read(HOSTS);
    expect(after.indexOf("granary.lab")).toBeLessThan(after.indexOf("old.lab"));
    expect(after).toContain('# by hand\nserver = "https://registry.example.com"\n');
    await world.undo();
    expect(await world.read(HOSTS)).toBe(before);
  });

  test("with an authority and a login the file says both, and only its owner can read it", async () => {
    const world = await setupWorld("containerd", CONFIG);
    const login = { username: "lab", password: "hunter2" };
    await world.setUp(target({ url: "https://granary.lab:5443", ca: "PEM\n", login }));
    expect(await world.read(HOSTS)).toBe(`server = "https://registry-1.docker.io"

[host."https://granary.lab:5443"]
  capabilities = ["pull", "resolve"]
  ca = "${world.path("containerd/certs.d/granary-ca.crt")}"

[host."https://granary.lab:5443".header]
  Authorization = "Basic ${Buffer.from("lab:hunter2").toString("base64")}"
`);
    expect((await stat(world.path(HOSTS))).mode & 0o777).toBe(0o600);
    await world.undo();
    expect(await world.files()).toEqual([]);
  });

  test("a config.toml that is broken stays, and no hosts.toml is made", async () => {
    const world = await setupWorld("containerd", CONFIG, { [CONFIG]: "version = \n" });
    await expect(world.setUp()).rejects.toThrow(/config\.toml is left as it is: it is not TOML: line 2/);
    expect(await world.files()).toEqual([CONFIG]);
  });
});
