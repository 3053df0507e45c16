/**
 * Owns the file that an image or a bundle is written to: beside its final name until it is whole and on disk, then renamed. Under the final
 * name there is never a part of it; what went wrong leaves nothing behind.
 */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { GranaryError } from "../../../errors.ts";
import { lookThrough, move, remove } from "../../../files/disk.ts";
import { diskError, errnoOf } from "../../../files/disk-error.ts";
import { syncDirectory } from "../../../files/durable-file.ts";
import { OpenFile } from "../../../files/open-file.ts";

/** As a shell makes the file of a redirection; the umask applies. */
const MODE = 0o666;

/**
 * Gives `write` an empty file, and puts it at `path` when that is done; a file that is there is replaced. Throws `path-invalid`
 * (a directory, or in none), `denied`, `store-full`, `store-damaged`, and what `write` throws.
 */
export async function writeOutput<T>(path: string, write: (file: OpenFile) => Promise<T>): Promise<T> {
  const final = resolve(path);
  const found = await lookThrough(final).catch(withinFile);
  if (found?.isDirectory() === true) throw invalid(path, "it is a directory: give the name of a file");
  const draft = join(dirname(final), `.${basename(final)}.${randomUUID()}.partial`);
  const file = await createDraft(draft, path);
  try {
    const result = await write(file);
    await file.sync();
    await file.close();
    await move(draft, final);
    await syncDirectory(dirname(final));
    return result;
  } catch (error) {
    await file.close();
    await remove(draft);
    throw error;
  }
}

async function createDraft(draft: string, path: string): Promise<OpenFile> {
  try {
    return await OpenFile.open(draft, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, MODE);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") throw invalid(path, "its directory does not exist");
    if (errno !== "EACCES" && errno !== "EPERM" && errno !== "EROFS")
      throw diskError(error, `creating ${path}`);
    const message = `${path} may not be written: choose a place that you may write to.`;
    throw new GranaryError("denied", message, { target: path, cause: error });
  }
}

/** A path below a file is refused when the draft is made, with the right sentence. */
function withinFile(error: unknown): undefined {
  if (errnoOf(error) === "ENOTDIR") return undefined;
  throw error;
}

function invalid(path: string, reason: string): GranaryError {
  return new GranaryError("path-invalid", `Nothing can be written to ${path}: ${reason}.`, {
    target: path,
  });
}
