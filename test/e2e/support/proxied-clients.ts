/**
 * Owns the clients that are told nothing but the proxy and its authority: each starts empty, pulls by the plain name of an image, and says the
 * digest of what it then holds itself.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../../src/oci/digest.ts";
import { pull as pullByCtr, runContainerd } from "./ctr-client.ts";
import { runCommand } from "./run-command.ts";
import { scratchDirectory } from "./scratch-directory.ts";
import { overlaysWork } from "./storage-driver.ts";

type Env = Readonly<Record<string, string>>;

/** Digest of the manifest of `image`, such as "ghcr.io/org/app:1". Throws when the client fails. */
type Pull = (image: string) => Promise<string>;

export type ProxiedClient = {
  readonly name: string;
  readonly programs: readonly string[];
  readonly start: (cleanup: AsyncDisposableStack, env: Env) => Promise<Pull>;
};

export const PROXIED_CLIENTS: readonly ProxiedClient[] = [
  { name: "Debian's containerd", programs: ["ctr", "containerd"], start: containerd("ctr", "containerd") },
  {
    name: "containerd 2",
    programs: ["ctr-2", "containerd-2"],
    start: containerd("ctr-2", "containerd-2"),
  },
  { name: "Podman", programs: ["podman"], start: startPodman },
  { name: "Buildah", programs: ["buildah"], start: startBuildah },
  { name: "skopeo", programs: ["skopeo"], start: startSkopeo },
  { name: "crane", programs: ["crane"], start: toLayout("crane", ["pull", "--format=oci"]) },
  { name: "oras", programs: ["oras"], start: toLayout("oras", ["copy", "--to-oci-layout"]) },
];

function containerd(client: string, daemon: string): ProxiedClient["start"] {
  return async (cleanup, env) => {
    const { run, snapshotter } = await runContainerd(cleanup, client, daemon, env);
    return async (image) => (await pullByCtr(run, ["--snapshotter", snapshotter], image)).manifest;
  };
}

async function startPodman(cleanup: AsyncDisposableStack, env: Env): Promise<Pull> {
  const places = await placesOf(cleanup);
  const modes = ["--events-backend=none", "--cgroup-manager=cgroupfs"];
  const run = (...args: string[]) => runCommand("podman", [...places, ...modes, ...args], { env });
  return async (image) => {
    await run("pull", "--quiet", image);
    return (await run("image", "inspect", "--format", "{{.Digest}}", image)).trim();
  };
}

async function startBuildah(cleanup: AsyncDisposableStack, env: Env): Promise<Pull> {
  const places = await placesOf(cleanup);
  const run = (...args: string[]) =>
    runCommand("buildah", [...places, ...args], { env: { ...env, BUILDAH_ISOLATION: "chroot" } });
  return async (image) => {
    const container = (await run("from", "--quiet", "--pull-always", image)).trim();
    return (await run("inspect", "--format", "{{.FromImageDigest}}", container)).trim();
  };
}

async function placesOf(cleanup: AsyncDisposableStack): Promise<string[]> {
  const home = await scratchDirectory(cleanup, "storage");
  const driver = (await overlaysWork()) ? "overlay" : "vfs";
  return ["--root", join(home, "root"), "--runroot", join(home, "run"), `--storage-driver=${driver}`];
}

async function startSkopeo(cleanup: AsyncDisposableStack, env: Env): Promise<Pull> {
  const place = join(await scratchDirectory(cleanup, "skopeo"), "copy");
  return async (image) => {
    await runCommand("skopeo", ["copy", "--quiet", `docker://${image}`, `dir:${place}`], { env });
    return digestOf(await readFile(join(place, "manifest.json")));
  };
}

/** For those that write an OCI layout: `program ...words IMAGE PLACE`. */
function toLayout(program: string, words: readonly string[]): ProxiedClient["start"] {
  return async (cleanup, env) => {
    const place = join(await scratchDirectory(cleanup, program), "layout");
    return async (image) => {
      await runCommand(program, [...words, image, program === "oras" ? `${place}:1` : place], { env });
      const index = JSON.parse(await readFile(join(place, "index.json"), "utf8")) as {
        manifests: { digest: string }[];
      };
      return index.manifests[0]?.digest ?? "";
    };
  };
}
