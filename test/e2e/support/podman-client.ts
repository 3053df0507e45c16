/** Owns a Podman with storage of its own for a test, with Granary as mirror in its registries.conf. */
import { join } from "node:path";
import { type ImageClient, type ImageClientKind, type ImageName, NO_WAY_OUT } from "./image-client.ts";
import { writeRegistriesConf } from "./registries-conf.ts";
import { runCommand } from "./run-command.ts";
import { scratchDirectory } from "./scratch-directory.ts";
import { overlaysWork } from "./storage-driver.ts";

export const podman: ImageClientKind = { name: "podman", programs: ["podman"], start: startPodman };

async function startPodman(cleanup: AsyncDisposableStack, port: number): Promise<ImageClient> {
  const home = await scratchDirectory(cleanup, "podman");
  const env = { ...NO_WAY_OUT, CONTAINERS_REGISTRIES_CONF: await writeRegistriesConf(home, port) };
  const places = [
    "--root",
    join(home, "root"),
    "--runroot",
    join(home, "run"),
    "--tmpdir",
    join(home, "tmp"),
  ];
  const driver = (await overlaysWork()) ? "overlay" : "vfs";
  const modes = [`--storage-driver=${driver}`, "--events-backend=none", "--cgroup-manager=cgroupfs"];
  const run = (...args: string[]) => runCommand("podman", [...places, ...modes, ...args], { env });
  return { pull: (image) => pull(run, image) };
}

async function pull(run: (...args: string[]) => Promise<string>, { repository, tag }: ImageName) {
  const name = `docker.io/${repository}:${tag}`;
  await run("pull", "--quiet", name);
  const [found] = JSON.parse(await run("image", "inspect", name)) as { Id: string; Digest: string }[];
  return { manifest: found?.Digest ?? "", config: `sha256:${found?.Id}` };
}
