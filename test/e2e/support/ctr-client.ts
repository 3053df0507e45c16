/**
 * Owns a containerd of its own for a test, driven by `ctr` with a hosts.toml that names Granary: Debian's 1.x, whose ctr pulls by
 * itself, and the newest 2.x, where the daemon's transfer service does.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BackgroundProgram } from "./background-program.ts";
import { type ImageClient, type ImageClientKind, NO_WAY_OUT } from "./image-client.ts";
import { runCommand } from "./run-command.ts";
import { scratchDirectory } from "./scratch-directory.ts";
import { overlaysWork } from "./storage-driver.ts";

export const ctr = containerdKind("ctr", "containerd");
export const ctr2 = containerdKind("ctr-2", "containerd-2");

/** What containerd would mount, load or look for on the machine, and a pull does not need. */
const DISABLED = [
  "grpc.v1.cri",
  ...["aufs", "btrfs", "devmapper", "zfs"].map((name) => `snapshotter.v1.${name}`),
];

function containerdKind(client: string, daemon: string): ImageClientKind {
  const start = (cleanup: AsyncDisposableStack, port: number) =>
    startContainerd(client, daemon, cleanup, port);
  return { name: client, programs: [client, daemon], start };
}

async function startContainerd(
  client: string,
  daemon: string,
  cleanup: AsyncDisposableStack,
  port: number,
): Promise<ImageClient> {
  const { run, home, snapshotter } = await runContainerd(cleanup, client, daemon, NO_WAY_OUT);
  const hosts = await writeHosts(home, port);
  return {
    pull: ({ repository, tag }) =>
      pull(run, ["--snapshotter", snapshotter, "--hosts-dir", hosts], `docker.io/${repository}:${tag}`),
  };
}

export type ContainerdDaemon = {
  /** Its own directory. */
  readonly home: string;
  readonly snapshotter: string;
  /** Runs its ctr. */
  run(...args: string[]): Promise<string>;
};

/** An empty one; both programs have `env`. */
export async function runContainerd(
  cleanup: AsyncDisposableStack,
  client: string,
  daemon: string,
  env: Readonly<Record<string, string>>,
): Promise<ContainerdDaemon> {
  const home = await scratchDirectory(cleanup, "containerd");
  const socket = join(home, "containerd.sock");
  const snapshotter = (await overlaysWork()) ? "overlayfs" : "native";
  await writeFile(join(home, "config.toml"), settingsFor(home, socket, snapshotter));
  const program = new BackgroundProgram(daemon, ["--config", join(home, "config.toml")], { env });
  cleanup.defer(() => program.stop());
  const run = (...args: string[]) => runCommand(client, ["--address", socket, ...args], { env });
  await program.until(() =>
    run("version").then(
      () => true,
      () => undefined,
    ),
  );
  return { home, snapshotter, run };
}

/** `server` is a closed port: whatever Granary does not answer fails, instead of passing by it unseen. */
async function writeHosts(home: string, port: number): Promise<string> {
  const directory = join(home, "hosts");
  await mkdir(join(directory, "docker.io"), { recursive: true });
  const text = `server = "http://127.0.0.1:9"

[host."http://127.0.0.1:${port}"]
  capabilities = ["pull", "resolve"]
`;
  await writeFile(join(directory, "docker.io", "hosts.toml"), text);
  return directory;
}

function settingsFor(home: string, socket: string, snapshotter: string): string {
  const disabled = DISABLED.map((name) => `"io.containerd.${name}"`).join(", ");
  return `version = 2
root = "${join(home, "root")}"
state = "${join(home, "state")}"
disabled_plugins = [${disabled}]
[grpc]
address = "${socket}"
[ttrpc]
address = "${join(home, "ttrpc.sock")}"
[[plugins."io.containerd.transfer.v1.local".unpack_config]]
platform = "linux/amd64"
snapshotter = "${snapshotter}"
`;
}

/** `name` as ctr wants it, with its registry. */
export async function pull(
  run: (...args: string[]) => Promise<string>,
  how: readonly string[],
  name: string,
) {
  await run("images", "pull", ...how, name);
  const listed = await run("images", "list", `name==${name}`);
  const top = /sha256:[0-9a-f]{64}/.exec(listed)?.[0] ?? "";
  const manifest = await manifestOf(run, top);
  return { manifest: top, config: manifest.config?.digest ?? "" };
}

type Content = {
  readonly config?: { readonly digest: string };
  readonly manifests?: readonly {
    readonly digest: string;
    readonly platform: { readonly architecture: string };
  }[];
};

/** The image manifest behind `digest`, through an index if it is one, read from containerd's own store. */
async function manifestOf(run: (...args: string[]) => Promise<string>, digest: string): Promise<Content> {
  const content = JSON.parse(await run("content", "get", digest)) as Content;
  const child = content.manifests?.find(({ platform }) => platform.architecture === "amd64");
  return child === undefined ? content : manifestOf(run, child.digest);
}
