/** Owns what the tests of `granary ca` share: a storage directory with an authority in it, and settings that name that directory. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openAuthority } from "../../../src/authority/authority.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { prepareLayout } from "../../../src/store/storage-directory.ts";
import { runMain } from "../../support/run-main.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

export const HOSTS = ["ghcr.io", "registry-1.docker.io"];

export type CaWorld = {
  readonly folder: string;
  readonly directory: string;
  /** PEM. */
  readonly certificate: string;
  readonly caFile: string;
  /** The command line with the directory's option behind it, in a place without a server. */
  granary(...args: readonly string[]): ReturnType<typeof runMain>;
};

export async function caWorld(): Promise<CaWorld> {
  const folder = await tempDirectory();
  const directory = join(folder, "data");
  await mkdir(directory);
  await (await prepareLayout(directory)).release();
  const { authority } = await openAuthority(directory, HOSTS, systemClock);
  const granary = (...args: readonly string[]) =>
    runMain(["ca", ...args, "--directory", directory], { cwd: folder, env: { GRANARY_SERVER: "" } });
  const caFile = join(directory, "authority/ca.crt");
  return { folder, directory, certificate: authority.certificate, caFile, granary };
}

/** A system of another kind, as far as its kind can be told: a folder with its os-release. */
export async function fakeRoot(release = "ID=debian\n"): Promise<string> {
  const root = await tempDirectory();
  await mkdir(join(root, "etc"));
  await writeFile(join(root, "etc/os-release"), release);
  return root;
}
