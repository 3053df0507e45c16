/**
 * Owns the two files of the proxy's own authority: its key, which only the owner can read, and its certificate, which is no secret. Both are
 * texts here, and nothing judges them. Writing is only for who has the lock of the directory; reading is for everybody.
 */
import { chmod, lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { onDisk, unlessAbsent } from "../files/disk-error.ts";
import { replaceFile, syncDirectory } from "../files/durable-file.ts";
import type { Layout } from "./layout.ts";
import { createTree } from "./storage-folders.ts";

/** For the user who runs the server, and root. */
const OWNER_FOLDER = 0o700;
const OWNER_FILE = 0o600;

type AuthorityPlace = Pick<Layout, "authority" | "directory">;

export type AuthorityFiles = {
  /** PEM texts; undefined where there is no such file. */
  readonly key: string | undefined;
  readonly certificate: string | undefined;
  /** The key was open to other users of this machine until now, and is closed. */
  readonly wasOpen: boolean;
};

export function authorityKeyPath({ authority }: Pick<Layout, "authority">): string {
  return join(authority, "ca.key");
}

export function authorityCertificatePath({ authority }: Pick<Layout, "authority">): string {
  return join(authority, "ca.crt");
}

/** What is there. Files and folders that others could read are closed to them first. Throws `store-damaged` for what cannot be read. */
export async function readAuthorityFiles(place: AuthorityPlace): Promise<AuthorityFiles> {
  const path = authorityKeyPath(place);
  await closeToOwner(place.authority, OWNER_FOLDER);
  const wasOpen = await closeToOwner(path, OWNER_FILE);
  const [key, certificate] = [await readUnlessAbsent(path), await readAuthorityCertificate(place)];
  return { key, certificate, wasOpen };
}

/** The certificate alone, for who has no lock and no right to the key. Throws `store-damaged` where it may not be read. */
export function readAuthorityCertificate(place: Pick<Layout, "authority">): Promise<string | undefined> {
  return readUnlessAbsent(authorityCertificatePath(place));
}

/** Replaces the key, durably. Throws `store-full`, `store-damaged`. */
export async function writeAuthorityKey(place: AuthorityPlace, pem: string): Promise<void> {
  await onDisk(`creating ${place.authority}`, createTree(place.authority, OWNER_FOLDER));
  await syncDirectory(place.directory);
  await write(place, authorityKeyPath(place), pem);
}

/** Replaces the certificate, durably. Throws `store-full`, `store-damaged`. */
export async function writeAuthorityCertificate(place: AuthorityPlace, pem: string): Promise<void> {
  await write(place, authorityCertificatePath(place), pem);
}

/** A new file is made with the mode 0600. */
async function write({ authority }: AuthorityPlace, path: string, pem: string): Promise<void> {
  await replaceFile(path, pem);
  await syncDirectory(authority);
}

function readUnlessAbsent(path: string): Promise<string | undefined> {
  return unlessAbsent(`reading ${path}`, readFile(path, "utf8"));
}

/** True where others had rights to it. It follows no link: nobody else can put one there. */
async function closeToOwner(path: string, mode: number): Promise<boolean> {
  const found = await unlessAbsent(`looking at ${path}`, lstat(path));
  if (found === undefined || found.isSymbolicLink() || (found.mode & 0o077) === 0) return false;
  await onDisk(`changing the mode of ${path}`, chmod(path, mode));
  return true;
}
