/**
 * Owns the folder for damaged files. They are moved there by a rename, so that the operator can look at them and a good copy can take
 * their place. It opens no file, follows no link, and deletes only plain files, one at a time, when told to.
 */
import { lstat, mkdir, readdir, rename, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { GranaryError } from "../errors.ts";
import { errnoOf, onDisk, unlessAbsent } from "../files/disk-error.ts";
import { syncDirectory } from "../files/durable-file.ts";
import { FOLDER_MODE } from "../files/modes.ts";
import { stampOf, TICK_MS } from "../files/open-file.ts";
import type { Clock } from "../observe/clock.ts";
import type { DamagedFile } from "./blob-store.ts";

/** Moves what lies at `path` to `directory`, as `<name>.<number>`. False when nothing lies there. Throws `store-damaged`. */
export async function setAside(directory: string, path: string, name: string): Promise<boolean> {
  if ((await unlessAbsent(`looking at ${path}`, lstat(path))) === undefined) return false;
  await makeDirectory(directory);
  const place = await freePlace(directory, name);
  const moved = await unlessAbsent(
    `moving ${path} to ${place}`,
    rename(path, place).then(() => true),
  );
  if (moved !== true) return false;
  await syncDirectory(directory);
  return true;
}

/** Lists a folder of damaged files, and looks at each of them only when something came or went since the last time. */
export class DamagedListing {
  readonly #directory: string;
  readonly #clock: Pick<Clock, "now">;
  #stamp: string | undefined;
  #found: readonly DamagedFile[] = [];

  constructor(directory: string, clock: Pick<Clock, "now">) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Empty when there is no such folder. */
  async list(): Promise<readonly DamagedFile[]> {
    const directory = this.#directory;
    const folder = await unlessAbsent(`looking at ${directory}`, lstat(directory, { bigint: true }));
    if (folder === undefined) return [];
    const stamp = stampOf(folder);
    if (stamp === this.#stamp) return this.#found;
    this.#found = await listDamaged(directory);
    const isOld = this.#clock.now() - Number(folder.mtimeMs) > TICK_MS;
    this.#stamp = isOld ? stamp : undefined;
    return this.#found;
  }
}

async function listDamaged(directory: string): Promise<DamagedFile[]> {
  const found: DamagedFile[] = [];
  for (const name of (await unlessAbsent(`listing ${directory}`, readdir(directory))) ?? []) {
    const path = join(directory, name);
    const stat = await unlessAbsent(`looking at ${path}`, lstat(path));
    if (stat === undefined) continue;
    const isFile = stat.isFile();
    found.push({ name, size: isFile ? stat.size : 0, changedAt: Math.floor(stat.ctimeMs), isFile });
  }
  return found;
}

/** Absent is fine. */
export async function removeDamaged(directory: string, name: string): Promise<void> {
  const path = join(directory, basename(name));
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found?.isFile() === true) await unlessAbsent(`removing ${path}`, unlink(path));
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: FOLDER_MODE });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") await onDisk(`creating ${path}`, Promise.reject(error));
    if ((await lstat(path)).isDirectory()) return;
    const text = `${path} is not a directory of its own (symbolic links are not followed). Move it away.`;
    throw new GranaryError("store-damaged", text, { target: path });
  }
}

/** A rename replaces the file that it finds: what was set aside before must not be lost by that. */
async function freePlace(directory: string, name: string): Promise<string> {
  for (let number = 1; ; number++) {
    const place = join(directory, `${name}.${number}`);
    if ((await unlessAbsent(`looking at ${place}`, lstat(place))) === undefined) return place;
  }
}
