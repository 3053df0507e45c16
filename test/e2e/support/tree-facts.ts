/** Owns what can be known of a directory tree on disk, in a form in which two of them are compared. It follows no link. */
import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

export type TreeFacts = {
  /** Type, mode, link target or content's digest, by path; the root is ".". */
  readonly nodes: Readonly<Record<string, string>>;
  /** Names that are one file, where there are several. */
  readonly linked: readonly string[];
  /** Milliseconds, by path. */
  readonly mtimes: Readonly<Record<string, number>>;
};

export async function treeFacts(root: string): Promise<TreeFacts> {
  const nodes: Record<string, string> = {};
  const mtimes: Record<string, number> = {};
  const inodes = new Map<number, string[]>();
  for (const name of (await namesOf(root)).sort()) {
    const path = join(root, name);
    const found = await lstat(path);
    nodes[name] = await describe(path, found);
    mtimes[name] = found.mtimeMs;
    if (!found.isDirectory()) inodes.set(found.ino, [...(inodes.get(found.ino) ?? []), name]);
  }
  const linked = [...inodes.values()].filter((names) => names.length > 1).map((names) => names.join(" = "));
  return { nodes, mtimes, linked: linked.sort() };
}

/** Paths whose times differ by more than the microsecond that a number of seconds keeps. */
export function differentTimes(one: TreeFacts, other: TreeFacts): string[] {
  const paths = Object.keys(one.mtimes).filter(
    (path) => !(Math.abs((one.mtimes[path] ?? 0) - (other.mtimes[path] ?? Number.NaN)) <= 0.001),
  );
  return paths.map((path) => `${path}: ${one.mtimes[path]} and ${other.mtimes[path]}`);
}

async function namesOf(root: string, at = "."): Promise<string[]> {
  const entries = await readdir(join(root, at), { withFileTypes: true });
  const below = entries.map((entry) => {
    const name = join(at, entry.name);
    return entry.isDirectory() ? namesOf(root, name) : [name];
  });
  return [at, ...(await Promise.all(below)).flat()];
}

async function describe(path: string, found: Stats): Promise<string> {
  const mode = (found.mode & 0o7777).toString(8);
  if (found.isSymbolicLink()) return `link to ${await readlink(path)}`;
  if (found.isDirectory()) return `directory ${mode}`;
  if (!found.isFile()) return `something else ${mode}`;
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return `file ${mode} ${found.size} ${hash.digest("hex")}`;
}
