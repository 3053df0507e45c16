/** Owns making the directory that a caller named, with those above it. What is there already stays as it is. */
import { mkdir } from "node:fs/promises";
import { GranaryError } from "../../errors.ts";
import { errnoOf, onDisk } from "../../files/disk-error.ts";

/** Throws `path-invalid` where `directory`, or one above it, is no directory. */
export async function makeRoot(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    if (!["EEXIST", "ENOTDIR"].includes(errnoOf(error) ?? "")) {
      return await onDisk(`creating ${directory}`, Promise.reject(error));
    }
    const message = `${directory} cannot be a directory: a file is in the way.`;
    throw new GranaryError("path-invalid", message, { target: directory, cause: error });
  }
}
