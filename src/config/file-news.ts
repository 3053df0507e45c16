/**
 * Owns what happens when a running process reads files again. Each file stands for itself: what has changed is used from then on, and
 * where a file cannot be used, its last content stays in use and the reason is told.
 */
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../errors.ts";

/** Some files of one key of the settings. */
export type Rereading = {
  /** "listeners.0", "upstreams.docker.io": where they are named. */
  readonly key: string;
  /** Reads them and uses what they hold: true when that is new. Throws, and changes nothing, when it cannot be used. */
  read(): Promise<boolean>;
};

export type FileNews = {
  readonly key: string;
  readonly isNew: boolean;
  /** A sentence: why what was there stays. */
  readonly problem?: string;
};

/** `held` is what is in use now; `use` gets what is new, and throws when that cannot be used. */
export function rereading<T>(
  key: string,
  held: T,
  read: () => Promise<T>,
  use: (found: T) => void,
): Rereading {
  let current = held;
  return {
    key,
    async read() {
      const found = await read();
      if (isDeepStrictEqual(found, current)) return false;
      use(found);
      current = found;
      return true;
    },
  };
}

export async function readAgain(files: readonly Rereading[]): Promise<readonly FileNews[]> {
  return await Promise.all(
    files.map(async ({ key, read }) => {
      try {
        return { key, isNew: await read() };
      } catch (error) {
        return { key, isNew: false, problem: messageOf(error) };
      }
    }),
  );
}
