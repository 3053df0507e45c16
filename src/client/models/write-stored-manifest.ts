/**
 * Owns the manifest's way into Ollama's store: whole at once, under the spelling that is there already. It must never leave a
 * file that Ollama could take for a model.
 */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { namesIn } from "../../files/disk.ts";
import { diskError, errnoOf, onDisk } from "../../files/disk-error.ts";
import { syncDirectory } from "../../files/durable-file.ts";
import type { StoredName } from "../../ollama/stored-name.ts";
import type { OllamaLayout } from "./ollama-layout.ts";

/** An `ollama serve` that starts removes empty directories, also one that was made a moment ago. */
const TRIES = 5;

/** Writes `bytes` as the manifest of `name` and resolves with its path. Throws `store-full`, `store-damaged`. */
export async function writeStoredManifest(
  layout: OllamaLayout,
  name: StoredName,
  bytes: Uint8Array,
): Promise<string> {
  const path = await spelledPath(layout.manifests, [name.host, name.namespace, name.model, name.tag]);
  const draft = layout.manifestDraft();
  try {
    await onDisk(`writing ${draft}`, writeSynced(layout.manifests, draft, bytes));
    await moveInto(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
  return path;
}

/** Ollama tells names apart without regard to case and keeps the first spelling (server/routes.go, getExistingName). */
async function spelledPath(root: string, parts: readonly string[]): Promise<string> {
  let path = root;
  for (const part of parts) {
    const entries = await namesIn(path);
    const folded = part.toLowerCase();
    const isThere = entries.includes(part);
    const spelled = isThere ? part : entries.find((entry) => entry.toLowerCase() === folded);
    path = join(path, spelled ?? part);
  }
  return path;
}

async function writeSynced(directory: string, draft: string, bytes: Uint8Array): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const file = await open(draft, "wx", 0o644);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function moveInto(draft: string, path: string): Promise<void> {
  for (let left = TRIES; ; left--) {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o755 });
      return await rename(draft, path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" || left <= 1) throw diskError(error, `renaming ${draft} to ${path}`);
    }
  }
}
