/**
 * Owns every path below the storage directory, and the version of the layout. File names are made from parsed Digests and the names of
 * configured upstreams (partial-owner.ts), so no text of a request can become a path. Nothing in a directory is changed before its lock is
 * taken, and nothing that is stored there is ever deleted here.
 */
import { constants } from "node:fs";
import { access, lstat, mkdir, readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { GranaryError, isGranaryError } from "../errors.ts";
import { errnoOf, unlessAbsent } from "../files/disk-error.ts";
import { replaceFile } from "../files/durable-file.ts";
import { FOLDER_MODE } from "../files/modes.ts";
import { algorithmOf, type Digest, type DigestAlgorithm, encodedOf } from "../oci/digest.ts";
import { lockDirectory } from "./lock-directory.ts";
import { formatOwner } from "./partial-owner.ts";
import { unusableError } from "./unusable.ts";

/** Raised when files get other places; an older Granary then refuses the directory and leaves it as it is. */
const LAYOUT_VERSION = 1;

export const ALGORITHMS: readonly DigestAlgorithm[] = ["sha256", "sha512"];

/** The two files of one Partial. */
export type PartialFiles = { readonly data: string; readonly map: string };

/** Paths only; asking for one creates nothing. */
export type Layout = {
  /** Absolute, symbolic links resolved once prepared. */
  readonly directory: string;
  readonly database: string;
  /** Where damaged files are moved to; created with the first of them. */
  readonly damaged: string;
  /** Where commands reach a running server; see control-socket.ts. */
  readonly socket: string;
  /** The token of the admin face, where none is configured; see admin-token.ts. */
  readonly adminToken: string;
  blobsOf(algorithm: DigestAlgorithm): string;
  /** `blobs/sha256/<2 hex>`: the directory that `blob` lies in. */
  blobDirectory(digest: Digest): string;
  blob(digest: Digest): string;
  partialsOf(algorithm: DigestAlgorithm): string;
  /** Without an upstream: where an old Granary put it, which kept one for all upstreams. */
  partial(of: { readonly digest: Digest; readonly upstream: string | undefined }): PartialFiles;
};

/** A Layout that this process alone may use until `release` (idempotent). */
export type LockedLayout = Layout & { release(): Promise<void> };

/** The paths below `directory`, without looking at the disk. */
export function layoutOf(directory: string): Layout {
  const root = resolve(directory);
  const blobsOf = (algorithm: DigestAlgorithm) => join(root, "blobs", algorithm);
  const blobDirectory = (digest: Digest) => join(blobsOf(algorithmOf(digest)), encodedOf(digest).slice(0, 2));
  const partialsOf = (algorithm: DigestAlgorithm) => join(root, "partial", algorithm);
  return {
    directory: root,
    database: join(root, "granary.db"),
    damaged: join(root, "damaged"),
    socket: join(root, "granary.sock"),
    adminToken: join(root, "admin-token"),
    blobsOf,
    blobDirectory,
    blob: (digest) => join(blobDirectory(digest), encodedOf(digest)),
    partialsOf,
    partial: ({ digest, upstream }) => {
      const owner = upstream === undefined ? "" : `${formatOwner(upstream)}@`;
      const data = join(partialsOf(algorithmOf(digest)), `${owner}${encodedOf(digest)}`);
      return { data, map: `${data}.map` };
    },
  };
}

/**
 * The layout of `directory`, which is created when missing; nothing in it is touched. Throws `config-invalid` when it cannot be
 * used (also because parts of it are another user's), `store-damaged` for a newer layout.
 */
export async function findLayout(directory: string): Promise<Layout> {
  const layout = await usable(directory, async () => {
    await createTree(resolve(directory));
    return layoutOf(await realpath(directory));
  });
  await checkOurs(layout);
  await readVersion(layout);
  return layout;
}

/**
 * The layout of a storage directory that is there already; nothing is created. Throws `config-invalid` for anything else, and what
 * `findLayout` throws.
 */
export async function findStorage(directory: string): Promise<Layout> {
  const root = await usable(directory, () => unlessAbsent(`looking for ${directory}`, realpath(directory)));
  const layout = root === undefined ? undefined : layoutOf(root);
  if (layout === undefined || (await readVersion(layout)) === undefined) {
    const text = `${resolve(directory)} is no storage directory of Granary: ${root === undefined ? "it is not there" : "it has no layout.json"}. Name the right one.`;
    throw new GranaryError("config-invalid", text, { target: directory });
  }
  const { uid } = await stat(layout.directory);
  if (process.geteuid?.() === 0 && uid !== 0) {
    const text = `${layout.directory} belongs to user ${uid}, who could not work with what root makes there: run this as that user (sudo -u "#${uid}" granary ...).`;
    throw new GranaryError("config-invalid", text, { target: directory });
  }
  await checkOurs(layout);
  return layout;
}

/**
 * Whether `directory` is there; nothing is created or locked. Throws what `findLayout` would, as far as that shows without a try: where it
 * is not there yet, also when nothing can be made in the folder above it.
 */
export async function checkStorage(directory: string): Promise<boolean> {
  const root = await usable(directory, () => unlessAbsent(`looking for ${directory}`, realpath(directory)));
  if (root === undefined) {
    await usable(directory, () => checkParent(resolve(directory)));
    return false;
  }
  const layout = layoutOf(root);
  await usable(directory, () => readdir(root));
  await checkOurs(layout);
  await readVersion(layout);
  return true;
}

/** That the nearest folder above `path` lets something be made in it. */
async function checkParent(path: string): Promise<void> {
  const parent = dirname(path);
  const isThere = (await unlessAbsent(`looking for ${parent}`, stat(parent))) !== undefined;
  if (isThere) await access(parent, constants.W_OK | constants.X_OK);
  else await checkParent(parent);
}

/**
 * Creates the folders that are missing, for who has the lock of the directory. Returns a text that identifies these folders: it is another
 * one after somebody removed a folder and it was made again. Throws `config-invalid` when it cannot be written, `store-full`, `store-damaged` for a symbolic
 * link where a directory belongs.
 */
export async function makeFolders(layout: Layout): Promise<string> {
  return await usable(layout.directory, async () => {
    await createTree(layout.directory);
    const identity = await createInside(layout, await readVersion(layout));
    await removeOldLocks(layout.directory);
    await probe(layout);
    return identity;
  });
}

/**
 * Runs `work`. If it fails because somebody removed a folder, the folder is made again, and `work` runs once more. Throws what `work` throws,
 * or `store-full`, `store-damaged`: in a running server a directory that cannot be used counts as a failing disk, which callers can do
 * without.
 */
export async function withFolders<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const cause = error instanceof GranaryError ? error.cause : error;
    if (errnoOf(cause) !== "ENOENT") throw error;
    await makeFoldersAgain(layout);
    return await work();
  }
}

async function makeFoldersAgain(layout: Layout): Promise<void> {
  try {
    await makeFolders(layout);
  } catch (error) {
    if (!isGranaryError(error, "config-invalid")) throw error;
    throw new GranaryError("store-damaged", error.message, { target: layout.directory, cause: error.cause });
  }
}

/** Finds `directory`, locks it and makes its folders, for who has no database there (the database is a lock itself). Throws what those throw. */
export async function prepareLayout(directory: string): Promise<LockedLayout> {
  const layout = await findLayout(directory);
  const release = await lockDirectory(layout.directory);
  try {
    await makeFolders(layout);
  } catch (error) {
    release();
    throw error;
  }
  return { ...layout, release: async () => release() };
}

/** Not `mkdir` with `recursive`: Node's never ends where a file system always answers ENOENT, as /proc does. */
async function createTree(path: string, mode = FOLDER_MODE): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (errnoOf(error) === "EEXIST" && (await stat(path)).isDirectory()) return;
    if (errnoOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    // The folders above are not only ours.
    await createTree(dirname(path), 0o777);
    await mkdir(path, { mode });
  }
}

async function createInside(layout: Layout, version: number | undefined): Promise<string> {
  const folders = ["blobs", "partial"].flatMap((name) => [
    name,
    ...ALGORITHMS.map((each) => join(name, each)),
  ]);
  const identities: string[] = [];
  for (const name of folders) identities.push(await createDirectory(join(layout.directory, name)));
  if (version === undefined) {
    await replaceFile(versionPath(layout), `${JSON.stringify({ version: LAYOUT_VERSION })}\n`);
  }
  return identities.join(" ");
}

/** Makes a file where partials are: no other test shows as surely that we can write there. */
async function probe(layout: Layout): Promise<void> {
  const path = join(layout.partialsOf("sha256"), ".probe");
  await rm(path, { force: true });
  await writeFile(path, "", { flag: "wx" });
  await rm(path, { force: true });
}

/** Granary 0.1 wrote its process number into a file; with the lock that we have, it means nothing. */
async function removeOldLocks(directory: string): Promise<void> {
  const isOld = (name: string) => /^granary\.lock(\.\d+(\.stale)?)?$/.test(name);
  for (const name of await readdir(directory)) {
    if (isOld(name)) await rm(join(directory, name), { force: true });
  }
}

/** How often this process has made each folder: ext4 gives a new folder the inode number of the one that was just removed. */
const timesMade = new Map<string, number>();

/** Returns a text that is another one when the folder is not the same any more. */
async function createDirectory(path: string): Promise<string> {
  try {
    await mkdir(path, { mode: FOLDER_MODE });
    timesMade.set(path, (timesMade.get(path) ?? 0) + 1);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
  const found = await lstat(path, { bigint: true });
  if (found.isDirectory()) return `${found.dev}:${found.ino}:${timesMade.get(path) ?? 0}`;
  throw new GranaryError(
    "store-damaged",
    `${path} is not a directory of its own (symbolic links are not followed). Move it away, or point storage.directory itself at the other place.`,
    { target: path },
  );
}

async function readVersion(layout: Layout): Promise<number | undefined> {
  const path = versionPath(layout);
  const text = await unlessAbsent(`reading ${path}`, readFile(path, "utf8"));
  if (text === undefined) return undefined;
  const version = versionIn(text);
  if (version !== undefined && version <= LAYOUT_VERSION) return version;
  const found = version === undefined ? "no version that this Granary can read" : `version ${version}`;
  throw new GranaryError(
    "store-damaged",
    `${path} states ${found}; this Granary knows version ${LAYOUT_VERSION}. Run a newer Granary, or give storage.directory another directory. Nothing was changed.`,
    { target: path, expected: LAYOUT_VERSION, ...(version !== undefined && { found: version }) },
  );
}

function versionIn(text: string): number | undefined {
  try {
    const { version } = JSON.parse(text) as { version?: unknown };
    return Number.isSafeInteger(version) && Number(version) > 0 ? Number(version) : undefined;
  } catch {
    return undefined; // Not JSON: the caller reports that no version can be read.
  }
}

function versionPath(layout: Layout): string {
  return join(layout.directory, "layout.json");
}

/** Turns errors of the file system into one sentence that says what is wrong with the directory and what to do. */
async function usable<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof GranaryError && errnoOf(error.cause) === undefined) throw error;
    throw await unusableError(directory, error);
  }
}

/** Finds files of another user (a volume that root filled) before anything is opened, and names the first one. */
async function checkOurs(layout: Layout): Promise<void> {
  const { directory, database } = layout;
  const folders = ["blobs", "partial"].flatMap((name) => [
    name,
    ...ALGORITHMS.map((each) => join(name, each)),
  ]);
  const inside = ["layout.json", ...folders].map((name) => join(directory, name));
  const paths = [directory, database, `${database}-wal`, ...inside];
  for (const path of paths) {
    try {
      await access(path, constants.R_OK | constants.W_OK);
    } catch (error) {
      if (["EACCES", "EROFS"].includes(errnoOf(error) ?? ""))
        throw await unusableError(directory, error, path);
    }
  }
}
