/** Owns a buildah with storage of its own for a test: `buildah from`, as a build's first line does it. */
import { join } from "node:path";
import { type ImageClient, type ImageClientKind, type ImageName, NO_WAY_OUT } from "./image-client.ts";
import { writeRegistriesConf } from "./registries-conf.ts";
import { runCommand } from "./run-command.ts";
import { scratchDirectory } from "./scratch-directory.ts";
import { overlaysWork } from "./storage-driver.ts";

export const buildah: ImageClientKind = { name: "buildah", programs: ["buildah"], start: startBuildah };

async function startBuildah(cleanup: AsyncDisposableStack, port: number): Promise<ImageClient> {
  const home = await scratchDirectory(cleanup, "buildah");
  const conf = await writeRegistriesConf(home, port);
  const driver = (await overlaysWork()) ? "overlay" : "vfs";
  const places = ["--root", join(home, "root"), "--runroot", join(home, "run"), "--storage-driver", driver];
  const run = (...args: string[]) =>
    runCommand("buildah", [...places, "--registries-conf", conf, ...args], {
      env: { ...NO_WAY_OUT, BUILDAH_ISOLATION: "chroot" },
    });
  return { pull: (image) => pull(run, image) };
}

async function pull(run: (...args: string[]) => Promise<string>, { repository, tag }: ImageName) {
  const name = `docker.io/${repository}:${tag}`;
  const container = (await run("from", "--quiet", "--pull-always", name)).trim();
  const found = JSON.parse(await run("inspect", container)) as {
    FromImageID: string;
    FromImageDigest: string;
  };
  return { manifest: found.FromImageDigest, config: `sha256:${found.FromImageID}` };
}
