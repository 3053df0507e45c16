/**
 * Shows that Podman's partial pulls of zstd:chunked layers work through Granary, cold, warm and with the upstream off: of a second image
 * only the files that it does not share cross either line. They need the overlay driver, here on a file system in memory.
 */
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startDockerRegistry } from "./support/docker-registry.ts";
import { type GranaryProcess, startGranary } from "./support/granary-process.ts";
import { NO_WAY_OUT } from "./support/image-client.ts";
import { describeWith } from "./support/required-programs.ts";
import { runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";

const FILES = 60;
/** The layer is larger than what is always fetched whole. */
const FILE_BYTES = 200_000;
/** How many files the second image has of its own. */
const CHANGED = 6;

type Run = (program: string, ...args: string[]) => Promise<string>;

/** Podman and buildah over one overlay store that pulls in part. */
async function startClients(home: string): Promise<Run> {
  const memory = join(home, "memory");
  await mkdir(memory);
  await runCommand("mount", ["-t", "tmpfs", "-o", "size=400m", "tmpfs", memory]);
  const config = join(home, "storage.conf");
  await writeFile(
    config,
    `[storage]
driver = "overlay"
graphroot = "${memory}/root"
runroot = "${memory}/run"
[storage.options]
pull_options = {enable_partial_images = "true", use_hard_links = "false", ostree_repos = ""}
`,
  );
  const env = { ...NO_WAY_OUT, CONTAINERS_STORAGE_CONF: config };
  return (program, ...args) => runCommand(program, args, { env });
}

/** An image of `files`, pushed to `registry` as zstd:chunked. */
async function pushImage(run: Run, files: string, registry: string, name: string): Promise<void> {
  const container = (await run("buildah", "from", "scratch")).trim();
  await run("buildah", "copy", "--quiet", container, files, "/");
  await run("buildah", "commit", "--quiet", container, `localhost/${name}:1`);
  const push = ["push", "--quiet", "--tls-verify=false", "--compression-format", "zstd:chunked"];
  await run("podman", ...push, `localhost/${name}:1`, `${registry}/org/${name}:1`);
}

/** Blob bytes that Granary has had from the upstream so far. */
async function fetched(granary: GranaryProcess): Promise<number> {
  const metrics = await (await fetch(`${granary.url("real.test")}/metrics`)).text();
  const [, bytes] = /^granary_upstream_bytes_total\{[^}]*kind="blob"[^}]*\} (\d+)$/m.exec(metrics) ?? [];
  return Number(bytes ?? 0);
}

/** Bytes of each answer in part so far. */
function partsSent({ log }: GranaryProcess): number[] {
  return [...log.matchAll(/"status":206,"bytes":(\d+)/g)].map(([, bytes]) => Number(bytes));
}

describeWith(["podman", "buildah", "docker-registry", "mount"], "podman that pulls in part", () => {
  test("gets of a second image the files that it lacks, cold, warm and with the upstream off", async () => {
    await using cleanup = new AsyncDisposableStack();
    const home = await scratchDirectory(cleanup, "partial");
    const run = await startClients(home);
    const upstream = cleanup.use(new AsyncDisposableStack());
    const registry = await startDockerRegistry(upstream, join(home, "registry"));
    const upstreams = { "real.test": { endpoints: [registry], internal: true } };
    const granary = await startGranary(cleanup, { upstreams });
    const files = join(home, "files");
    await mkdir(files);
    const write = (index: number) => writeFile(join(files, `file-${index}`), randomBytes(FILE_BYTES));
    for (let index = 0; index < FILES; index++) await write(index);
    await pushImage(run, files, registry.slice("http://".length), "one");
    // Spread over the layer, so that they are as many ranges.
    for (let index = 0; index < CHANGED; index++) await write(index * 9 + 4);
    await pushImage(run, files, registry.slice("http://".length), "two");

    const host = `127.0.0.1:${granary.port("real.test")}`;
    const pull = async (name: string) => {
      const before = partsSent(granary).length;
      await run("podman", "pull", "--quiet", "--tls-verify=false", `${host}/org/${name}:1`);
      const mounted = (await run("podman", "image", "mount", `${host}/org/${name}:1`)).trim();
      const same = await run("sh", "-c", `cd ${mounted} && cat $(ls | sort) | sha256sum`);
      await run("podman", "image", "unmount", `${host}/org/${name}:1`);
      return { same, sent: Math.max(...partsSent(granary).slice(before)) };
    };
    const own = CHANGED * FILE_BYTES;
    const whole = FILES * FILE_BYTES;
    const wanted = await run("sh", "-c", `cd ${files} && cat $(ls | sort) | sha256sum`);
    for (const how of ["cold", "warm", "offline"]) {
      await run("podman", "rmi", "--all", "--force");
      const before = await fetched(granary);
      const one = await pull("one");
      const between = await fetched(granary);
      const two = await pull("two");
      expect(one.sent, how).toBeGreaterThan(whole);
      expect(two.sent, how).toBeGreaterThan(own);
      expect(two.sent, how).toBeLessThan(1.2 * own);
      expect(two.same, how).toBe(wanted);
      const cost = [between - before, (await fetched(granary)) - between];
      if (how === "cold") {
        expect(cost[0]).toBeLessThan(1.1 * whole);
        expect(cost[1]).toBeLessThan(1.4 * own);
      } else expect(cost, how).toEqual([0, 0]);
      if (how === "warm") await upstream.disposeAsync();
    }
  });
});
