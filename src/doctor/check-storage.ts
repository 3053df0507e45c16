/** Owns whether the storage directory and its disk can do their work. It asks; it makes and changes nothing. */
import { resolve } from "node:path";
import { formatBytes } from "../bytes/units.ts";
import type { StorageSettings } from "../config/settings.ts";
import { messageOf } from "../errors.ts";
import { spaceAround } from "../files/disk.ts";
import { minFreeOf } from "../mirror/space/disk-measure.ts";
import { checkStorage } from "../store/storage-directory.ts";
import { type Observation, says, sentence } from "./observation.ts";

/** `used` is what a running server keeps there, bytes; undefined where none was asked. */
export async function checkStorageSettings(
  settings: StorageSettings,
  used: number | undefined,
): Promise<Observation[]> {
  const { good, note, wrong } = says("storage");
  const directory = resolve(settings.directory);
  try {
    if (!(await checkStorage(directory))) {
      return [note(`${directory} is not made yet: granary serve makes it.`)];
    }
  } catch (error) {
    return [
      wrong(sentence(messageOf(error)), "Name a directory that granary serve may use, as storage.directory."),
    ];
  }
  return [good(`${directory} can be used.`), ...(await checkDisk(settings, directory, used))];
}

async function checkDisk(settings: StorageSettings, directory: string, used = 0): Promise<Observation[]> {
  const { good, note, wrong } = says("disk");
  const { free, size } = await spaceAround(directory);
  if (size === 0) return [note("The disk does not say how large it is: only storage.maxSize is kept to.")];
  const kept = minFreeOf(settings, { free, size });
  const most = Math.min(settings.maxSize, used + Math.max(0, free - kept));
  const [shownFree, shownMost] = [formatBytes(free), formatBytes(settings.maxSize)];
  if (most < SMALLEST) {
    const text = `Next to nothing can be kept: ${shownFree} are free, ${formatBytes(kept)} of the disk are to stay free (storage.minFree), and the budget is ${shownMost}. Every blob bypasses the disk, and is fetched again for each client.`;
    return [
      wrong(
        text,
        "Make room on that disk, choose a larger one, or set storage.minFree lower or storage.maxSize higher.",
      ),
    ];
  }
  if (settings.maxSize > used + free) {
    return [
      note(
        `The budget of ${shownMost} is more than this disk can hold (${shownFree} free): Granary keeps what fits.`,
      ),
    ];
  }
  return [good(`${shownFree} of the disk are free, the budget is ${shownMost}.`)];
}

/** Less than one common layer. */
const SMALLEST = 64 * 2 ** 20;
