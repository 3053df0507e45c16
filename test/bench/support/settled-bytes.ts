/** Owns the end of an upstream account: bytes are read only once they have stopped moving. */
import { setTimeout as delay } from "node:timers/promises";
import type { CountingUpstream } from "./upstream.ts";

/** Body bytes the upstream sent for `path`, once they have not changed for `quietMs` (at most a minute). */
export async function settledBytes(upstream: CountingUpstream, path: string, quietMs = 400): Promise<number> {
  const deadline = Date.now() + 60_000;
  let bytes = (await upstream.counts(path)).bytes;
  let changedAt = Date.now();
  while (Date.now() - changedAt < quietMs && Date.now() < deadline) {
    await delay(40);
    const now = (await upstream.counts(path)).bytes;
    if (now !== bytes) changedAt = Date.now();
    bytes = now;
  }
  return bytes;
}
