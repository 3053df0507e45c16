/** Owns skopeo in the tests: `copy --all` into a directory whose files are hashed again, one by one. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../../src/oci/digest.ts";
import { type ImageClient, type ImageClientKind, type ImageName, NO_WAY_OUT } from "./image-client.ts";
import { writeRegistriesConf } from "./registries-conf.ts";
import { runCommand } from "./run-command.ts";
import { scratchDirectory } from "./scratch-directory.ts";

export const skopeo: ImageClientKind<SkopeoClient> = {
  name: "skopeo",
  programs: ["skopeo"],
  start: startSkopeo,
};

export type SkopeoClient = ImageClient & {
  /** The digests of all files that a copy consists of, manifests included. */
  copied(image: ImageName): Promise<Set<string>>;
};

async function startSkopeo(cleanup: AsyncDisposableStack, port: number): Promise<SkopeoClient> {
  const home = await scratchDirectory(cleanup, "skopeo");
  const conf = await writeRegistriesConf(home, port);
  const placeOf = ({ repository, tag }: ImageName) => join(home, `${repository.replaceAll("/", "-")}-${tag}`);
  return {
    pull: async (image) => {
      const source = `docker://docker.io/${image.repository}:${image.tag}`;
      const options = ["--registries-conf", conf, "copy", "--quiet", "--all"];
      await runCommand("skopeo", [...options, source, `dir:${placeOf(image)}`], { env: NO_WAY_OUT });
      return describe(placeOf(image));
    },
    copied: async (image) => new Set(await digestsIn(placeOf(image))),
  };
}

async function describe(directory: string) {
  const bytes = await readFile(join(directory, "manifest.json"));
  const { config } = JSON.parse(bytes.toString()) as { config?: { digest: string } };
  return { manifest: digestOf(bytes), config: config?.digest ?? "" };
}

async function digestsIn(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return Promise.all(names.map(async (name) => digestOf(await readFile(join(directory, name)))));
}
