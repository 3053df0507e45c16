/**
 * Owns what happens when a running process reads files again. Each key is handled by itself: new content is used from then on. If a file
 * cannot be used, its last content stays in use, and the reason is reported.
 */
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../errors.ts";

/** Some files of one key of the settings. */
export type Rereading = {
  /** The key that names them: "listeners.0", "upstreams.docker.io". */
  readonly key: string;
  /** Reads them and uses their content: true when it is new. Throws, and changes nothing, when it cannot be used. */
  read(): Promise<boolean>;
};

export type FileNews = {
  readonly key: string;
  readonly isNew: boolean;
  /** A sentence: why the last content stays in use. */
  readonly problem?: string;
};

/** `inUse` is the content in use now; `use` is given new content, and throws when that cannot be used. */
export function rereading<T>(
  key: string,
  inUse: T,
  read: () => Promise<T>,
  use: (found: T) => void,
): Rereading {
  let current = inUse;
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
