/**
 * Owns the files of an OCI layout that is a folder. Names become paths here, so only those that a layout has are known; any other
 * could come from a document and lead anywhere. A symbolic link in the place of a file is not followed.
 */
import { constants } from "node:fs";
import { join } from "node:path";
import { GranaryError } from "../../errors.ts";
import { errnoOf, unlessAbsent } from "../../files/disk-error.ts";
import { OpenFile } from "../../files/open-file.ts";
import type { ArchiveFiles, StoredBytes } from "./archive-files.ts";
import { storedInFile } from "./tar-files.ts";

const LAYOUT_NAME = /^(?:index\.json|blobs\/[a-z0-9]+\/[0-9a-f]+)$/;

/** Any name that is not of a layout has no file: what `docker save` writes is read from tars alone. */
export function directoryFiles(path: string): ArchiveFiles {
  let isClosed = false;
  return {
    path,
    async open(name) {
      if (isClosed) throw new GranaryError("closed", `${path} was closed before ${name} was read.`);
      return LAYOUT_NAME.test(name) ? await openStored(join(path, name)) : undefined;
    },
    close: async () => {
      isClosed = true;
    },
  };
}

async function openStored(path: string): Promise<StoredBytes | undefined> {
  const file = await unlessAbsent(
    `opening ${path}`,
    OpenFile.open(path, constants.O_RDONLY).catch(refuseLink),
  );
  if (file === undefined) return undefined;
  try {
    return await storedInFile(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function refuseLink(error: unknown): never {
  // ELOOP: O_NOFOLLOW met a symbolic link.
  if (errnoOf(error) !== "ELOOP") throw error;
  const message =
    "A file of the layout is a symbolic link, which could lead anywhere; put the file itself there.";
  throw new GranaryError("path-invalid", message, { cause: error });
}
