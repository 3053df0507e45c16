/**
 * Owns Ollama's own store as something to import from: the models that `ollama pull` and `ollama create` have put there, each by its host,
 * namespace, model and tag. It only reads, and follows no symbolic link below the store.
 */
import { constants } from "node:fs";
import { join } from "node:path";
import type { ListedName } from "../../bundle/bundle-index.ts";
import { GranaryError } from "../../errors.ts";
import { lookThrough, namesIn } from "../../files/disk.ts";
import { diskError, errnoOf } from "../../files/disk-error.ts";
import { OpenFile } from "../../files/open-file.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/manifest.ts";
import { viewManifest } from "../../oci/manifest-view.ts";
import { isTag } from "../../oci/reference.ts";
import { isModelRepository } from "../../ollama/model-name.ts";
import { readStored, type StoredBytes } from "../archives/archive-files.ts";
import { storedInFile } from "../archives/tar-files.ts";
import { ollamaLayout } from "../models/ollama-layout.ts";
import { offered } from "./archive-imports.ts";
import type { ImportSource } from "./import-source.ts";

/** The parts of a model's path (manifest/paths.go of ollama): host, namespace, model, tag. */
const LEVELS = 4;
const MOST_MODELS = 10_000;

/** `directory` is what OLLAMA_MODELS points at. Throws `path-invalid` where no such store is, `denied` where it may not be read. */
export async function openOllamaImports(directory: string): Promise<ImportSource> {
  const layout = ollamaLayout(directory);
  const isStore = (await lookThrough(layout.manifests))?.isDirectory() === true;
  if (!isStore) {
    const message = `${directory} is no store of Ollama: it has no folder "manifests". Name the one that OLLAMA_MODELS points at, or ~/.ollama/models.`;
    throw new GranaryError("path-invalid", message, { target: directory });
  }
  const documents = new Map<Digest, Uint8Array>();
  const names: ListedName[] = [];
  for await (const [upstream = "", namespace = "", model = "", tag = ""] of pathsBelow(layout.manifests)) {
    const repository = `${namespace}/${model}`;
    // Ollama shows no others either.
    if (!isModelRepository(repository) || !isTag(tag)) continue;
    const path = join(layout.manifests, upstream, namespace, model, tag);
    const bytes = await readFileAt(path);
    if (bytes === undefined) continue;
    const digest = digestOf(bytes);
    documents.set(digest, bytes);
    names.push({ upstream, repository, tag, digest, mediaType: typeOf(bytes), size: bytes.length });
    if (names.length > MOST_MODELS) throw tooMany(directory);
  }
  return {
    path: directory,
    names,
    manifest: async (digest) => documents.get(digest),
    blob: async (digest) => {
      if (!digest.startsWith("sha256:")) return undefined;
      // Before 0.1.30 files were called by the digest as it is; Ollama renames them at its start (fixBlobs in server/fixblobs.go).
      const stored =
        (await openStored(layout.blob(digest))) ?? (await openStored(join(layout.blobs, digest)));
      return stored && offered(stored);
    },
    close: async () => undefined,
  };
}

/** Every path of four names below `root`, in order. */
async function* pathsBelow(root: string, above: readonly string[] = []): AsyncGenerator<readonly string[]> {
  for (const name of (await namesIn(join(root, ...above))).sort()) {
    if (name.startsWith(".")) continue;
    const path = [...above, name];
    if (path.length === LEVELS) yield path;
    else if ((await lookThrough(join(root, ...path)))?.isDirectory() === true) yield* pathsBelow(root, path);
  }
}

async function readFileAt(path: string): Promise<Uint8Array | undefined> {
  const stored = await openStored(path);
  if (stored === undefined) return undefined;
  return await readStored(stored, MAX_MANIFEST_BYTES, path).finally(() => stored.close());
}

async function openStored(path: string): Promise<StoredBytes | undefined> {
  let file: OpenFile;
  try {
    file = await OpenFile.open(path, constants.O_RDONLY);
  } catch (error) {
    const errno = errnoOf(error);
    // ELOOP: a symbolic link, which could lead anywhere.
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errno ?? "")) return undefined;
    if (errno === "EACCES") throw unreadable(path, error);
    throw diskError(error, `opening ${path}`);
  }
  try {
    return await storedInFile(file);
  } catch (error) {
    await file.close();
    if (error instanceof GranaryError && error.code === "path-invalid") return undefined;
    throw error;
  }
}

/** What Ollama writes states its type; what does not is found out by whoever takes it in. */
function typeOf(bytes: Uint8Array): string {
  try {
    return viewManifest(bytes, undefined).mediaType;
  } catch {
    return "";
  }
}

function unreadable(path: string, cause: unknown): GranaryError {
  const message = `${path} may not be read: run this as the user of Ollama (for its service: sudo -u ollama granary ...), or as root.`;
  return new GranaryError("denied", message, { target: path, cause });
}

function tooMany(directory: string): GranaryError {
  return new GranaryError("path-invalid", `${directory} has more than ${MOST_MODELS} models.`);
}
