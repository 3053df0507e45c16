/** Owns what the tests of setup share: a folder with one client's files, and setup run on it as the command line does. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { carryOut } from "../../src/setup/carry-out.ts";
import type { ClientKind } from "../../src/setup/client-kinds.ts";
import type { MirrorTarget } from "../../src/setup/mirror-target.ts";
import { type PlannedSetup, planSetup, planUndoSetup } from "../../src/setup/setup-client.ts";
import { tempDirectory } from "../support/temp-directory.ts";

export const HUB = { name: "docker.io", server: "https://registry-1.docker.io" };
export const QUAY = { name: "quay.io", server: "https://quay.io" };

/** A Granary on another machine, over plain http; Docker Hub alone. */
export function target(options: Partial<MirrorTarget> & { readonly url?: string } = {}): MirrorTarget {
  const url = options.url ?? "http://granary.lab:5000";
  const isPlain = url.startsWith("http:");
  return {
    url,
    host: new URL(url).host,
    isPlain,
    ca: undefined,
    login: undefined,
    wantsLogin: options.login !== undefined,
    registries: [HUB],
    ...options,
  };
}

export type SetupWorld = {
  readonly directory: string;
  readonly path: (name: string) => string;
  write(name: string, text: string): Promise<void>;
  read(name: string): Promise<string>;
  /** Every file below the folder, by its path in it. */
  files(): Promise<string[]>;
  plan(on?: MirrorTarget): Promise<PlannedSetup>;
  setUp(on?: MirrorTarget): Promise<void>;
  undo(): Promise<void>;
};

/** `main` is the client's file below the folder; `files` are there before. */
export async function setupWorld(
  kind: ClientKind,
  main: string,
  files: Readonly<Record<string, string>> = {},
): Promise<SetupWorld> {
  const directory = await tempDirectory();
  const path = (name: string) => join(directory, name);
  const write = async (name: string, text: string) => {
    await mkdir(dirname(path(name)), { recursive: true });
    await writeFile(path(name), text);
  };
  for (const [name, text] of Object.entries(files)) await write(name, text);
  const plan = (on = target()) => planSetup(kind, on, path(main));
  return {
    directory,
    path,
    write,
    plan,
    read: (name) => readFile(path(name), "utf8"),
    files: async () => {
      const all = await readdir(directory, { recursive: true, withFileTypes: true });
      return all
        .filter((each) => !each.isDirectory())
        .map((each) => join(each.parentPath, each.name).slice(directory.length + 1))
        .sort();
    },
    setUp: async (on) => carryOut((await plan(on)).files),
    undo: async () => carryOut(await planUndoSetup(kind, path(main))),
  };
}
