/**
 * Owns the clients that know no mirrors and are given Granary as the registry: crane, regctl and oras, which copy into an OCI layout.
 * What a layout holds is hashed again, file by file; a client that left something out, or wrote it wrongly, has failed.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../../src/oci/digest.ts";
import { type ImageClientKind, type ImageName, NO_WAY_OUT, type PulledImage } from "./image-client.ts";
import { runCommand } from "./run-command.ts";
import { scratchDirectory } from "./scratch-directory.ts";

/** The arguments that copy `source` (host:port/repository:tag, plain http) into the layout at `place`. */
type Copy = (source: string, place: string, tag: string) => readonly string[];

const crane = layoutClient("crane", (source, place) => [
  ...["pull", "--insecure", "--format=oci"],
  source,
  place,
]);

const regctl = layoutClient("regctl", (source, place, tag) => [
  ...["--host", `reg=${new URL(`http://${source}`).host},tls=disabled`],
  ...["image", "copy", source, `ocidir://${place}:${tag}`],
]);

const oras = layoutClient("oras", (source, place, tag) => [
  ...["copy", "--no-tty", "--from-plain-http", "--to-oci-layout"],
  source,
  `${place}:${tag}`,
]);

export const LAYOUT_CLIENTS = [crane, regctl, oras] as const;

function layoutClient(name: string, copy: Copy): ImageClientKind {
  return {
    name,
    programs: [name],
    start: async (cleanup, port) => {
      const home = await scratchDirectory(cleanup, name);
      // No login, no cache and no settings of the machine's: all of them look below HOME.
      const env = { ...NO_WAY_OUT, HOME: home, DOCKER_CONFIG: home, XDG_RUNTIME_DIR: home };
      return {
        pull: async ({ repository, tag }: ImageName) => {
          const place = join(home, `${repository.replaceAll("/", "-")}-${tag}`);
          await runCommand(name, copy(`127.0.0.1:${port}/${repository}:${tag}`, place, tag), { env });
          return heldIn(place);
        },
      };
    },
  };
}

type Content = {
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly manifests?: readonly { readonly digest: string }[];
};

/** The one image of a layout, all of whose parts are there and are what their names say. */
async function heldIn(place: string): Promise<PulledImage> {
  const [top] = (await readContent(join(place, "index.json"))).manifests ?? [];
  if (top === undefined) throw new Error(`${place} names no image`);
  const blobs = join(place, "blobs/sha256");
  const held = new Set<string>();
  for (const name of await readdir(blobs)) {
    const digest = digestOf(await readFile(join(blobs, name)));
    if (digest !== `sha256:${name}`) throw new Error(`${name} holds the bytes of ${digest}`);
    held.add(digest);
  }
  const { config, layers = [], manifests = [] } = await readContent(pathOf(blobs, top.digest));
  for (const { digest } of [...layers, ...manifests, ...(config === undefined ? [] : [config])]) {
    if (!held.has(digest)) throw new Error(`${digest} is not in the layout`);
  }
  return { manifest: top.digest, config: config?.digest ?? "" };
}

function pathOf(blobs: string, digest: string): string {
  return join(blobs, digest.slice("sha256:".length));
}

async function readContent(path: string): Promise<Content> {
  return JSON.parse(await readFile(path, "utf8")) as Content;
}
