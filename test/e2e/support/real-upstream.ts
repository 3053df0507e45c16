/**
 * Owns the real upstream: docker-registry over a store that is filled once and kept in the user's cache directory,
 * so that reruns take a second. A half-filled store is never left under the final name.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { startDockerRegistry } from "./docker-registry.ts";
import { pushContent, readContent, type UpstreamContent } from "./upstream-content.ts";

export type RealUpstream = {
  /** Base URL, without "/v2". */
  readonly url: string;
  readonly content: UpstreamContent;
  /** Where docker-registry keeps the bytes of a blob. */
  blobPath(digest: string): string;
};

/** What the images need besides docker-registry itself. */
export const UPSTREAM_PROGRAMS = ["docker-registry", "umoci", "skopeo", "tar"];

/** Raised when upstream-content.ts makes something else. */
const CONTENT_VERSION = 1;

export async function startRealUpstream(cleanup: AsyncDisposableStack): Promise<RealUpstream> {
  const home = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const place = join(home, "granary-e2e", `upstream-${CONTENT_VERSION}`);
  if (!existsSync(place)) await fillStore(place);
  const storage = join(place, "storage");
  const url = await startDockerRegistry(cleanup, storage);
  const content = await readContent(join(place, "content.json"));
  return { url, content, blobPath: (digest) => blobPathIn(storage, digest) };
}

async function fillStore(place: string): Promise<void> {
  await mkdir(join(place, ".."), { recursive: true });
  const workshop = await mkdtemp(`${place}-unfinished-`);
  const cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(workshop, { recursive: true, force: true }));
  try {
    const made = join(workshop, "made");
    await mkdir(join(made, "storage"), { recursive: true });
    const registry = await startDockerRegistry(cleanup, join(made, "storage"));
    const content = await pushContent(registry, workshop);
    await writeFile(join(made, "content.json"), JSON.stringify(content, null, 2));
    await rename(made, place);
  } finally {
    await cleanup.disposeAsync();
  }
}

function blobPathIn(storage: string, digest: string): string {
  const [algorithm = "", hex = ""] = digest.split(":");
  return join(storage, "docker/registry/v2/blobs", algorithm, hex.slice(0, 2), hex, "data");
}
