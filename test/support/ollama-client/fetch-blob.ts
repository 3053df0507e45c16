/** Owns one blob of a GGUF model: HEAD, probe, then its parts, so many at once, in order. It verifies nothing yet. */
import { type BlobPart, cutIntoParts, type PartLimits } from "./blob-part.ts";
import type { BlobPlace } from "./blob-place.ts";
import { findDirectUrl } from "./direct-url.ts";
import { fetchPart, type PartTerms } from "./fetch-part.ts";
import { exchangeFollowing, followAll } from "./follow-redirects.ts";
import { drop } from "./http-exchange.ts";
import type { OllamaVersion } from "./ollama-version.ts";
import type { RegistrySession } from "./registry-session.ts";

export type BlobTerms = {
  readonly session: RegistrySession;
  readonly version: OllamaVersion;
  readonly limits: PartLimits;
  readonly timeScale: number;
  readonly limitScale: number;
  readonly signal: AbortSignal;
  readonly onBytes: (count: number) => void;
};

export async function fetchBlob(url: URL, place: BlobPlace, terms: BlobTerms): Promise<void> {
  if (await place.isComplete()) return;
  try {
    const parts = await planParts(url, place, terms);
    await place.prepare(parts.reduce((sum, part) => sum + part.size, 0));
    const ask = await partRequest(url, terms);
    await fetchParts(parts, place, ask, terms);
    await place.complete();
  } finally {
    await place.close();
  }
}

/** Saved parts are believed, and spare the HEAD. A HEAD without a length means an empty blob, as it does to Ollama. */
async function planParts(url: URL, place: BlobPlace, terms: BlobTerms): Promise<BlobPart[]> {
  const saved = await place.loadParts();
  if (saved.length > 0) return saved;
  const head = await terms.session.request(url, { method: "HEAD", signal: terms.signal });
  drop(head);
  const total = Number.parseInt(head.headers["content-length"] ?? "0", 10);
  const parts = cutIntoParts(total, terms.version.parts, terms.limits);
  for (const part of parts) await place.savePart(part);
  return parts;
}

/** How parts are asked for: anonymously at the direct URL, or, before there was a probe, at the blob's own. */
async function partRequest(url: URL, terms: BlobTerms): Promise<PartTerms["ask"]> {
  const { session, version } = terms;
  if (version.probe === "none") {
    return (range, signal) => session.request(url, { headers: { range }, signal });
  }
  const direct = await findDirectUrl(session, url, version, terms);
  return (range, signal) => {
    const headers = { "user-agent": "Go-http-client/1.1", range };
    return exchangeFollowing(direct, { headers, proxy: session.proxy, signal }, followAll);
  };
}

async function fetchParts(
  parts: readonly BlobPart[],
  place: BlobPlace,
  ask: PartTerms["ask"],
  terms: BlobTerms,
): Promise<void> {
  const others = new AbortController();
  const signal = AbortSignal.any([terms.signal, others.signal]);
  const queue = parts.filter((part) => part.completed < part.size).values();
  const work = async () => {
    for (const part of queue) {
      await fetchPart(part, { ...terms, ask, place, signal, stall: terms.version.stall });
    }
  };
  // The first part that fails ends the others, and its failure is the pull's.
  const workers = Array.from({ length: terms.version.parts }, () =>
    work().catch((error) => {
      others.abort();
      throw error;
    }),
  );
  const outcomes = await Promise.allSettled(workers);
  terms.signal.throwIfAborted();
  const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  const [cause] = failures.filter((failure) => failure?.name !== "AbortError");
  if (failures.length > 0) throw cause ?? failures[0];
}
