/** Owns a Docker engine of its own for a test, with Granary in `registry-mirrors`: the graph-driver pull path. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BackgroundProgram } from "./background-program.ts";
import { type ImageClient, type ImageClientKind, type ImageName, NO_WAY_OUT } from "./image-client.ts";
import { runCommand } from "./run-command.ts";
import { scratchDirectory } from "./scratch-directory.ts";

export const dockerd: ImageClientKind<DockerClient> = {
  name: "dockerd",
  programs: ["dockerd", "docker", "containerd"],
  start: startDockerd,
};

export type DockerClient = ImageClient & {
  /** `docker pull -a`: every tag of a repository; the pulled references. */
  pullAll(repository: string): Promise<string[]>;
};

async function startDockerd(cleanup: AsyncDisposableStack, port: number): Promise<DockerClient> {
  const home = await scratchDirectory(cleanup, "dockerd");
  // A file of its own, so that the machine's daemon.json has no say.
  const config = join(home, "daemon.json");
  await writeFile(config, "{}");
  const socket = `unix://${join(home, "docker.sock")}`;
  const program = new BackgroundProgram(
    "dockerd",
    [
      ["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"],
      ["--data-root", join(home, "data"), "--exec-root", join(home, "exec")],
      ["--pidfile", join(home, "pid"), "--config-file", config, "--host", socket],
      ["--registry-mirror", `http://127.0.0.1:${port}`],
    ].flat(),
    { env: NO_WAY_OUT },
  );
  cleanup.defer(() => program.stop());
  const docker = (...args: string[]) =>
    runCommand("docker", ["--host", socket, "--config", home, ...args], { env: NO_WAY_OUT });
  await program.until(() =>
    docker("version").then(
      () => true,
      () => undefined,
    ),
  );
  return {
    pull: (image) => pull(docker, image),
    pullAll: async (repository) => {
      await docker("pull", "--all-tags", repository);
      const lines = await docker("images", "--format", "{{.Repository}}:{{.Tag}}");
      return lines.trim().split("\n");
    },
  };
}

async function pull(docker: (...args: string[]) => Promise<string>, { repository, tag }: ImageName) {
  await docker("pull", `${repository}:${tag}`);
  const [found] = JSON.parse(await docker("image", "inspect", `${repository}:${tag}`)) as {
    Id: string;
    RepoDigests: string[];
  }[];
  return { manifest: found?.RepoDigests[0]?.split("@")[1] ?? "", config: found?.Id ?? "" };
}
