/** Owns one question: is this program installed? Looks where Debian puts servers, too. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** The path of `name`, or undefined when it is not installed. */
export function findCommand(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin", "/sbin"];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
