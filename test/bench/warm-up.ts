/**
 * Owns "warm": a contender is warm for a path once it has answered it with the right bytes, has committed it, and
 * answers again without asking the upstream for a body. Never assumes; it checks all three.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Bench, Started } from "./bench.ts";
import type { Content } from "./material.ts";
import type { Contender } from "./peers/contender.ts";

const PATIENCE_MS = 60_000;
/** docker-registry answers 404 for an OCI manifest to a client that does not name its type. */
const ACCEPT = "application/vnd.oci.image.manifest.v1+json, */*";

/** Throws when the bytes are wrong, or when it is not warm after a minute. */
export async function warmUp(
  bench: Bench,
  contender: Contender,
  started: Started,
  content: Content,
): Promise<void> {
  await fetchChecked(started.port, content);
  if (!contender.committedPath) return;
  if (content.path.includes("/blobs/")) {
    const file = join(started.place.directory, contender.committedPath(content.digest));
    await until(`${contender.name} has committed ${content.path}`, async () => existsSync(file));
  }
  await until(`${contender.name} answers ${content.path} by itself`, async () => {
    const before = await bench.upstream.counts(content.path);
    await fetchBytes(started.port, content.path);
    return (await bench.upstream.counts(content.path)).bytes === before.bytes;
  });
}

/** Resolves once `holds` does; throws with `what` after a minute. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await delay(50);
  }
}

async function fetchChecked(port: number, content: Content): Promise<void> {
  const hash = createHash("sha256");
  await fetchBytes(port, content.path, (chunk) => hash.update(chunk));
  const found = `sha256:${hash.digest("hex")}`;
  if (found !== content.digest) throw new Error(`${content.path} came back as ${found}`);
}

async function fetchBytes(port: number, path: string, take?: (chunk: Uint8Array) => void): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { accept: ACCEPT } });
  if (!response.ok || !response.body) throw new Error(`${path} was answered with ${response.status}`);
  for await (const chunk of response.body) take?.(chunk);
}
