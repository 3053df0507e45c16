/**
 * Owns the version of the layout, which a storage directory states in its layout.json: how it is read, written once, and compared with what
 * this Granary knows. It never changes a version that is there.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { GranaryError } from "../errors.ts";
import { unlessAbsent } from "../files/disk-error.ts";
import { replaceFile } from "../files/durable-file.ts";
import type { Layout } from "./layout.ts";

/** Raised when files get other places; an older Granary then refuses the directory and leaves it as it is. */
const LAYOUT_VERSION = 1;

/** undefined where no version is stated yet. Throws `store-damaged` for a newer one, and for what is none. */
export async function readVersion(layout: Layout): Promise<number | undefined> {
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

/** For a directory that states none. */
export async function writeVersion(layout: Layout): Promise<void> {
  await replaceFile(versionPath(layout), `${JSON.stringify({ version: LAYOUT_VERSION })}\n`);
}

function versionIn(text: string): number | undefined {
  try {
    const { version } = JSON.parse(text) as { version?: unknown };
    return Number.isSafeInteger(version) && Number(version) > 0 ? Number(version) : undefined;
  } catch {
    return undefined; // Not JSON: the caller reports that no version can be read.
  }
}

export function versionPath(layout: Layout): string {
  return join(layout.directory, "layout.json");
}
