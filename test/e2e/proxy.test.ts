/**
 * Shows that real clients pull and push by the registries' own names through Granary's proxy, told nothing but the proxy and its authority: an
 * image of each registry crosses once, logins go to the registry itself, and what is stored outlives it.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MANIFEST_UNION } from "../../src/oci/media-types.ts";
import { runGranary } from "../support/run-granary.ts";
import { type DockerEngine, ENGINE_PROGRAMS, startDockerEngine } from "./support/docker-engine.ts";
import { PROXIED_CLIENTS } from "./support/proxied-clients.ts";
import { LOGIN, PROXY_PROGRAMS, type ProxyLab, startProxyLab, withMounted } from "./support/proxy-lab.ts";
import { describeWith } from "./support/required-programs.ts";
import { runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";

/** The first one that reads `proxies` in its daemon.json. */
const READS_PROXIES = 23;

describeWith(PROXY_PROGRAMS, "through the proxy", () => {
  const cleanup = new AsyncDisposableStack();
  let lab: ProxyLab;
  beforeAll(async () => {
    lab = await startProxyLab(cleanup);
  });
  afterAll(() => cleanup.disposeAsync());

  describeWith(ENGINE_PROGRAMS, "a Docker engine that granary setup has told of the proxy", () => {
    let engine: DockerEngine;
    beforeAll(async () => {
      engine = await startEngineOfSetup(cleanup, lab);
    });

    const digestOf = async (image: string) => {
      const format = ["--format", '{{join .RepoDigests " "}}'];
      const digests = await engine.docker("image", "inspect", ...format, image);
      const repository = image.replace(/:[^:/]*$/, "");
      return digests
        .split(" ")
        .find((each) => each.startsWith(`${repository}@`))
        ?.split("@")[1]
        ?.trim();
    };
    const pull = async (image: string) => {
      await engine.docker("pull", image);
      return await digestOf(image);
    };

    test("pulls the same name from two registries, and again at no cost", async () => {
      for (const name of ["one", "two"] as const) {
        const { image, blobBytes } = lab[name];
        expect(await pull(`${name}.test/app:1`)).toBe(image.manifest.digest);
        const sent = blobBytes();
        expect(sent).toBe(image.config.size + (image.layers[0]?.size ?? 0));
        await engine.docker("rmi", `${name}.test/app:1`);
        expect(await pull(`${name}.test/app:1`)).toBe(image.manifest.digest);
        expect(blobBytes()).toBe(sent);
      }
    });

    test("pushes to the registry itself, and pulls what it has pushed in place of what was there", async () => {
      const pushed = "two.test/team/app:1";
      await pull("one.test/app:1");
      await pull("two.test/app:1");
      for (const from of ["one.test/app:1", "two.test/app:1"]) {
        await engine.docker("tag", from, pushed);
        await engine.docker("push", pushed);
        const digest = await digestOf(pushed);
        const answer = await fetch(`${lab.two.url}/v2/team/app/manifests/1`, {
          headers: { accept: MANIFEST_UNION.join(", ") },
        });
        expect(answer.headers.get("docker-content-digest")).toBe(digest);
        await engine.docker("rmi", pushed);
        expect(await pull(pushed)).toBe(digest);
        const sent = lab.two.blobBytes();
        await engine.docker("rmi", pushed);
        expect(await pull(pushed)).toBe(digest);
        expect(lab.two.blobBytes(), "again").toBe(sent);
        await engine.docker("rmi", pushed);
      }
    });

    test("logs in at the registry, and pulls by that login what is stored and what only it can read", async () => {
      const { image, blobBytes } = lab.locked;
      for (const name of ["private.test", "theirs.test"]) {
        await expect(pull(`${name}/app:1`), name).rejects.toThrow();
        await expect(engine.docker(...loginWords(name, "wrong"))).rejects.toThrow(/401|unauthorized/);
        await engine.docker(...loginWords(name, LOGIN.password));
        expect(await pull(`${name}/app:1`)).toBe(image.manifest.digest);
        await engine.docker("rmi", `${name}/app:1`);
      }
      const sent = blobBytes();
      expect(await pull("private.test/app:1")).toBe(image.manifest.digest);
      expect(blobBytes()).toBe(sent);
      expect(lab.granary.log).not.toContain(LOGIN.password);
      expect(lab.granary.log).not.toContain(Buffer.from(`lab:${LOGIN.password}`).toString("base64"));
    });
  });

  for (const { name, programs, start } of PROXIED_CLIENTS) {
    describeWith(programs, name, () => {
      test("pulls by the plain name", async () => {
        const pull = await start(cleanup, lab.env);
        expect(await pull("one.test/app:1")).toBe(lab.one.image.manifest.digest);
        expect(lab.one.blobBytes()).toBe(sizeOf(lab.one.image));
      });
    });
  }

  describeWith(["curl"], "curl", () => {
    test("is refused a host that is no upstream, with one sentence that says what to do", async () => {
      const asked = runCommand("curl", ["--silent", "--verbose", "-x", lab.proxy, "https://other.test/"]);
      const said = await asked.then(String, String);
      expect(said).toMatch(
        /< HTTP\/1\.1 403 .*other\.test:443 is no upstream of this Granary.*proxy\.tunnel/,
      );
    });
  });

  describeWith(["openssl"], "OpenSSL", () => {
    const connect = (host: string) => {
      const place = ["-proxy", new URL(lab.proxy).host, "-connect", `${host}:443`, "-servername", host];
      const trust = ["-CAfile", lab.caFile, "-verify_hostname", host, "-verify_return_error"];
      return runCommand("openssl", ["s_client", ...place, ...trust]);
    };

    test("takes the certificate of each registry for its own", async () => {
      for (const host of ["one.test", "private.test"])
        expect(await connect(host)).toMatch(/Verify return code: 0 \(ok\)/);
    });
  });

  describe("with all registries gone", () => {
    beforeAll(async () => {
      for (const { stop } of [lab.one, lab.two, lab.locked]) await stop();
    });

    for (const { name, programs, start } of PROXIED_CLIENTS) {
      describeWith(programs, name, () => {
        test("pulls what is stored", async () => {
          const pull = await start(cleanup, lab.env);
          expect(await pull("one.test/app:1")).toBe(lab.one.image.manifest.digest);
        });
      });
    }

    describeWith(ENGINE_PROGRAMS, "a Docker engine with HTTPS_PROXY in its environment", () => {
      test("pulls what is stored", async () => {
        const { docker } = await startDockerEngine(cleanup, [], { env: lab.env });
        expect(await docker("pull", "one.test/app:1")).toContain(lab.one.image.manifest.digest);
      });
    });
  });
});

function loginWords(registry: string, password: string): string[] {
  return ["login", "--username", LOGIN.username, "--password", password, registry];
}

function sizeOf({ config, layers }: ProxyLab["one"]["image"]): number {
  return [config, ...layers].reduce((sum, { size }) => sum + size, 0);
}

/** With the files that the command writes, where Docker looks for them. Engines that are too old for one of them get the proxy by HTTPS_PROXY. */
async function startEngineOfSetup(cleanup: AsyncDisposableStack, lab: ProxyLab): Promise<DockerEngine> {
  const etc = join(await scratchDirectory(cleanup, "etc"), "docker");
  await mkdir(etc);
  const file = join(etc, "daemon.json");
  const target = ["--server-address", lab.proxy, "--config", lab.granary.config, "--file", file];
  const { code, err } = await runGranary(["setup", "docker", "--proxy", "--write", ...target]);
  expect([code, err]).toEqual([0, ""]);
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ proxies: { "https-proxy": lab.proxy } });
  await mkdir("/etc/docker", { recursive: true });
  const command = withMounted(etc, "/etc/docker");
  const version = /\d+/.exec(await runCommand("dockerd", ["--version"]))?.[0];
  return Number(version) >= READS_PROXIES
    ? await startDockerEngine(cleanup, ["--config-file", file], { env: {}, command })
    : await startDockerEngine(cleanup, [], { env: { HTTPS_PROXY: lab.proxy }, command });
}
