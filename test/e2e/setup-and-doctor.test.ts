/**
 * Shows that real clients pull through Granary with the files that `granary setup --write` makes of real ones, that `granary doctor` sees
 * it, and that it sees it as well where a client goes another way.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import type { Observation } from "../../src/doctor/observation.ts";
import { runGranary } from "../support/run-granary.ts";
import { BackgroundProgram } from "./support/background-program.ts";
import { ENGINE_PROGRAMS, startDockerEngine } from "./support/docker-engine.ts";
import { NO_WAY_OUT } from "./support/image-client.ts";
import { FAST_LINE } from "./support/lines.ts";
import { HUB, type Stage, useStage } from "./support/pull-scenario.ts";
import { UPSTREAM_PROGRAMS } from "./support/real-upstream.ts";
import { describeWith } from "./support/required-programs.ts";
import { plainEnvironment, runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";

async function place(path: string, text: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

async function setUp({ granary }: Stage, client: string, file: string, ...more: string[]): Promise<void> {
  const args = [
    "setup",
    client,
    "--file",
    file,
    "--config",
    granary.config,
    "--registry",
    HUB,
    "--write",
    ...more,
  ];
  const { code, err } = await runGranary(args);
  expect([code, err]).toEqual([0, ""]);
}

type Diagnosis = {
  readonly code: number | null;
  readonly findings: readonly Observation[];
  readonly texts: string;
};

/** By the client with this environment; it pulls a small image of the stage. */
async function diagnose(
  { granary, upstream }: Stage,
  client: string,
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<Diagnosis> {
  const { repository = "", tag = "" } = upstream.content.tagged[0] ?? {};
  const args = ["doctor", "--client", client, "--file", file, "--config", granary.config, "--json"];
  const image = ["--image", `docker.io/${repository}:${tag}`];
  const { out, err, code } = await runGranary([...args, ...image], {
    env: { ...plainEnvironment(), ...NO_WAY_OUT, NO_PROXY: "127.0.0.1,127.0.0.2,127.0.0.3", ...env },
  });
  if (out === "") throw new Error(err);
  const { findings } = JSON.parse(out) as { findings: Observation[] };
  return {
    code,
    findings,
    texts: findings.map(({ area, level, text }) => `${level} ${area}: ${text}`).join("\n"),
  };
}

describeWith([...ENGINE_PROGRAMS, ...UPSTREAM_PROGRAMS], "Docker, set up by granary setup", () => {
  const stage = useStage(FAST_LINE);
  /** Of a machine in the field; what the test's engine is started with by flags must not stand in it. */
  const DAEMON = `{
\t"log-driver": "json-file",
\t"log-opts": {
\t\t"max-size": "10m",
\t\t"max-file": "3"
\t},
\t"max-concurrent-downloads": 6
}
`;

  test("pulls through Granary with the file that was written, and the doctor sees the bytes", async () => {
    const { cleanup, upstream, front } = stage();
    const home = await scratchDirectory(cleanup, "setup");
    const file = await place(join(home, "daemon.json"), DAEMON);
    await setUp(stage(), "docker", file);
    const { docker, socket } = await startDockerEngine(cleanup, ["--config-file", file]);
    const { index } = upstream.content;
    await docker("pull", `${index.repository}:${index.tag}`);
    expect(front.account.matching({ kind: "manifest", status: 200 }).length).toBeGreaterThan(0);

    const { code, texts } = await diagnose(stage(), "docker", file, { DOCKER_HOST: `unix://${socket}` });
    expect(texts).toMatch(
      /good docker: docker\.io\/library\/tags-test:one was pulled, and came through Granary/,
    );
    expect(code).toBe(0);
    // It leaves the client as it was.
    expect(await docker("images", "--format", "{{.Repository}}")).not.toContain("tags-test");
  });

  test("the doctor sees an engine that has not loaded the file", async () => {
    const { cleanup } = stage();
    const home = await scratchDirectory(cleanup, "setup");
    const file = await place(join(home, "daemon.json"), DAEMON);
    const { socket } = await startDockerEngine(cleanup, ["--config-file", file]);
    await setUp(stage(), "docker", file);
    const { code, texts } = await diagnose(stage(), "docker", file, { DOCKER_HOST: `unix://${socket}` });
    expect(texts).toMatch(/wrong docker: The engine has not loaded/);
    expect(texts).toMatch(/note docker: Nothing was pulled: mend what is wrong first/);
    expect(code).toBe(1);
  });

  test("an undo leaves the engine without the mirror, and the file as it was", async () => {
    const { cleanup } = stage();
    const home = await scratchDirectory(cleanup, "setup");
    const file = await place(join(home, "daemon.json"), DAEMON);
    await setUp(stage(), "docker", file);
    const { code } = await runGranary(["setup", "docker", "--file", file, "--undo"]);
    expect(code).toBe(0);
    expect(await readFile(file, "utf8")).toBe(DAEMON);
    const { docker } = await startDockerEngine(cleanup, ["--config-file", file]);
    expect(await docker("info", "--format", "{{json .RegistryConfig.Mirrors}}")).toMatch(/^(?:null|\[\])/);
  });
});

/** Both releases, each with the version of the file that it writes itself. */
for (const [client, daemon, version, plugin] of [
  ["ctr", "containerd", 2, "io.containerd.grpc.v1.cri"],
  ["ctr-2", "containerd-2", 3, "io.containerd.cri.v1.images"],
] as const) {
  describeWith([client, daemon, ...UPSTREAM_PROGRAMS], `${daemon}, set up by granary setup`, () => {
    const stage = useStage(FAST_LINE);

    const configOf = (home: string) => `version = ${version}
root = "${home}/root"
state = "${home}/state"

[grpc]
  address = "${home}/containerd.sock" # for the test
[ttrpc]
  address = "${home}/ttrpc.sock"

[plugins]
  [plugins."${plugin}"]
    [plugins."${plugin}".registry]
      config_path = ""
`;

    async function startContainerd(home: string) {
      const program = new BackgroundProgram(daemon, ["--config", join(home, "config.toml")]);
      stage().cleanup.defer(() => program.stop());
      const ctr = (...args: string[]) =>
        runCommand(client, ["--address", join(home, "containerd.sock"), ...args], { env: NO_WAY_OUT });
      await program.until(() =>
        ctr("version").then(
          () => true,
          () => undefined,
        ),
      );
      return ctr;
    }

    test("starts with the file that was written, and pulls through Granary with its folder of hosts", async () => {
      const { cleanup, upstream, front } = stage();
      const home = await scratchDirectory(cleanup, "setup");
      const file = await place(join(home, "config.toml"), configOf(home));
      await setUp(stage(), "containerd", file);
      expect(await readFile(file, "utf8")).toBe(
        configOf(home).replace('config_path = ""', `config_path = "${home}/certs.d"`),
      );
      const ctr = await startContainerd(home);
      const { repository, tag } = upstream.content.index;
      await ctr("content", "fetch", "--hosts-dir", join(home, "certs.d"), `docker.io/${repository}:${tag}`);
      expect(front.account.matching({ kind: "manifest", status: 200 }).length).toBeGreaterThan(0);

      const { code, texts } = await diagnose(stage(), "containerd", file, {
        CONTAINERD_ADDRESS: join(home, "containerd.sock"),
      });
      expect(texts).toMatch(
        /good containerd: docker\.io\/library\/tags-test:one was pulled, and came through Granary/,
      );
      expect(code).toBe(0);
      expect(await ctr("images", "list", "--quiet")).not.toContain("tags-test");
    });

    test("the doctor sees a folder with a wrong name, with which this containerd would go to Docker Hub", async () => {
      const { cleanup, upstream, granary } = stage();
      const home = await scratchDirectory(cleanup, "setup");
      const file = await place(
        join(home, "config.toml"),
        configOf(home).replace('path = ""', `path = "${home}/certs.d"`),
      );
      await place(join(home, "certs.d/registry-1.docker.io/hosts.toml"), `[host."${granary.url(HUB)}"]\n`);
      const ctr = await startContainerd(home);
      const { repository, tag } = upstream.content.index;
      const fetched = ctr(
        "content",
        "fetch",
        "--hosts-dir",
        join(home, "certs.d"),
        `docker.io/${repository}:${tag}`,
      );
      await expect(fetched).rejects.toThrow(/registry-1\.docker\.io/);
      const { code, texts } = await diagnose(stage(), "containerd", file, {
        CONTAINERD_ADDRESS: join(home, "containerd.sock"),
      });
      expect(texts).toMatch(/wrong containerd: .*registry-1\.docker\.io is looked for by nobody/);
      expect(code).toBe(1);
    });
  });
}

describeWith(["skopeo", "podman", ...UPSTREAM_PROGRAMS], "Podman and skopeo, set up by granary setup", () => {
  const stage = useStage(FAST_LINE);
  const OWN = `# ours
[[registry]]
prefix = "docker.io"
location = "docker.io"

[[registry.mirror]]
location = "127.0.0.1:9/hub"
insecure = true
`;

  async function userOf(): Promise<{
    readonly home: string;
    readonly file: string;
    readonly env: Record<string, string>;
  }> {
    const home = await scratchDirectory(stage().cleanup, "setup");
    const file = join(home, ".config/containers/registries.conf.d/granary.conf");
    return { home, file, env: { ...NO_WAY_OUT, HOME: home, XDG_CONFIG_HOME: join(home, ".config") } };
  }

  const copy = (env: Record<string, string>, home: string, name: string) =>
    runCommand(
      "skopeo",
      ["copy", "--quiet", "--all", `docker://docker.io/${name}`, `dir:${join(home, "copy")}`],
      { env },
    );

  test("skopeo copies through Granary with a drop-in of its own, and the doctor sees the bytes", async () => {
    const { upstream, front } = stage();
    const { home, file, env } = await userOf();
    await setUp(stage(), "podman", file);
    const { repository, tag } = upstream.content.index;
    await copy(env, home, `${repository}:${tag}`);
    expect(front.account.matching({ kind: "manifest", status: 200 }).length).toBeGreaterThan(0);
    const { code, texts } = await diagnose(stage(), "podman", file, env);
    expect(texts).toMatch(
      /good podman: docker\.io\/library\/tags-test:one was pulled, and came through Granary/,
    );
    expect(code).toBe(0);
  });

  test("a file that has the registry already gets the mirror before its own, which is dead", async () => {
    const { upstream, front } = stage();
    const { home, file, env } = await userOf();
    const own = await place(join(dirname(file), "zz-corp.conf"), OWN);
    await setUp(stage(), "podman", file);
    expect(await readFile(own, "utf8")).toContain("# ours\n");
    const { repository, tag } = upstream.content.index;
    await copy(env, home, `${repository}:${tag}`);
    expect(front.account.matching({ kind: "manifest", status: 200 }).length).toBeGreaterThan(0);
    await runGranary(["setup", "podman", "--file", file, "--undo"]);
    expect(await readFile(own, "utf8")).toBe(OWN);
  });

  test("the doctor sees that plain http without insecure is passed by", async () => {
    const { upstream, granary } = stage();
    const { home, file, env } = await userOf();
    const mirror = `127.0.0.1:${granary.port(HUB)}/docker.io`;
    await place(file, `[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "${mirror}"\n`);
    const { repository, tag } = upstream.content.index;
    await expect(copy(env, home, `${repository}:${tag}`)).rejects.toThrow();
    const { code, texts } = await diagnose(stage(), "podman", file, env);
    expect(texts).toMatch(
      /wrong podman: The mirror https:\/\/127\.0\.0\.1:\d+ cannot be used: .*does not speak TLS/,
    );
    expect(code).toBe(1);
  });
});
