/** Owns a Docker engine of its own for a test: empty, on a socket of its own, with no way to Docker Hub. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BackgroundProgram } from "./background-program.ts";
import { NO_WAY_OUT } from "./image-client.ts";
import { runCommand } from "./run-command.ts";
import { scratchDirectory } from "./scratch-directory.ts";
import { overlaysWork } from "./storage-driver.ts";

export const ENGINE_PROGRAMS = ["dockerd", "docker", "containerd"];

export type DockerEngine = {
  /** Path of the socket. */
  readonly socket: string;
  /** Runs the docker command line against it; its standard output. */
  docker(...args: string[]): Promise<string>;
};

export type EngineSurroundings = {
  /** Of the engine, in place of no way out. */
  readonly env?: Readonly<Record<string, string>>;
  /** What runs it, such as a command that gives it files of its own; nothing when left out. */
  readonly command?: readonly string[];
};

/** Stopped with `cleanup`; `args` go to dockerd. */
export async function startDockerEngine(
  cleanup: AsyncDisposableStack,
  args: readonly string[] = [],
  { env = NO_WAY_OUT, command = [] }: EngineSurroundings = {},
): Promise<DockerEngine> {
  const home = await scratchDirectory(cleanup, "dockerd");
  // A file of its own, so that the machine's daemon.json has no say.
  const config = join(home, "daemon.json");
  await writeFile(config, "{}");
  const socket = join(home, "docker.sock");
  const driver = (await overlaysWork()) ? "overlay2" : "vfs";
  const [file = "", ...words] = [...command, "dockerd"];
  const program = new BackgroundProgram(
    file,
    [
      words,
      ["--iptables=false", "--ip6tables=false", "--bridge=none", `--storage-driver=${driver}`],
      ["--data-root", join(home, "data"), "--exec-root", join(home, "exec")],
      ["--pidfile", join(home, "pid"), "--config-file", config, "--host", `unix://${socket}`],
      args,
    ].flat(),
    { env },
  );
  cleanup.defer(() => program.stop());
  const docker = (...asked: string[]) =>
    runCommand("docker", ["--host", `unix://${socket}`, "--config", home, ...asked], { env: NO_WAY_OUT });
  await program.until(() =>
    docker("version").then(
      () => true,
      () => undefined,
    ),
  );
  return { socket, docker };
}
