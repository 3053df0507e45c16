/**
 * Owns the token of the admin face that is made where nobody configured one: a file in the storage directory that only its owner can read.
 * It is only for who has the lock of the directory. The token itself enters no message.
 */
import { randomBytes } from "node:crypto";
import { chmod, lstat, readFile } from "node:fs/promises";
import { onDisk, unlessAbsent } from "../files/disk-error.ts";
import { replaceFile, syncDirectory } from "../files/durable-file.ts";
import type { Layout } from "./layout.ts";

/** For the user who runs the server, and root. */
const OWNER_ONLY = 0o600;

/** 256 bits, as text that a URL, a header and a cookie can carry. */
const FORM = /^[A-Za-z0-9_-]{43}$/;

export type KeptToken = {
  readonly token: string;
  /** Nobody has seen it yet. */
  readonly isNew: boolean;
};

/** The token in `layout.adminToken`, made now where there is none that can be used. Throws `store-full`, `store-damaged`. */
export async function keepAdminToken({
  adminToken: path,
  directory,
}: Pick<Layout, "adminToken" | "directory">): Promise<KeptToken> {
  const kept = await readKept(path);
  if (kept !== undefined) return { token: kept, isNew: false };
  const token = newAdminToken();
  // A new file is made with the mode 0600.
  await replaceFile(path, `${token}\n`);
  await syncDirectory(directory);
  return { token, isNew: true };
}

export function newAdminToken(): string {
  return randomBytes(32).toString("base64url");
}

/** A file that others could read is closed to them; what is no token is as if it were not there. */
async function readKept(path: string): Promise<string | undefined> {
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found === undefined || !found.isFile()) return undefined;
  if ((found.mode & 0o077) !== 0) await onDisk(`changing the mode of ${path}`, chmod(path, OWNER_ONLY));
  const text = (await onDisk(`reading ${path}`, readFile(path, "utf8"))).trim();
  return FORM.test(text) ? text : undefined;
}
