/**
 * Owns one part of a blob: ask for what is missing, look at no status, take exactly so many bytes, and know which
 * failures keep bytes. It must behave like `downloadChunk` of the real client, oddities included.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { BlobPart } from "./blob-part.ts";
import type { BlobPlace } from "./blob-place.ts";
import { drop, type HttpExchange } from "./http-exchange.ts";
import type { OllamaVersion } from "./ollama-version.ts";
import { StallWatch } from "./stall-watch.ts";

export type PartTerms = {
  /** Sends the part's request. */
  readonly ask: (range: string, signal: AbortSignal) => Promise<HttpExchange>;
  readonly place: BlobPlace;
  readonly stall: OllamaVersion["stall"];
  /** Factor on all sleeps. */
  readonly timeScale: number;
  /** Factor on the stall time. */
  readonly limitScale: number;
  readonly signal: AbortSignal;
  /** Told of every run of bytes that was put in place. */
  readonly onBytes: (count: number) => void;
};

const MOST_ATTEMPTS = 6;

/** Until the part is whole, or six attempts have failed. Stalls are not counted. */
export async function fetchPart(part: BlobPart, terms: PartTerms): Promise<void> {
  let last: unknown;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; ) {
    const watch = new StallWatch(terms.stall, terms.limitScale);
    try {
      await attemptPart(part, terms, watch);
      return;
    } catch (error) {
      terms.signal.throwIfAborted();
      if (watch.stalled) continue;
      last = error;
      await sleep(1000 * 2 ** attempt * terms.timeScale, undefined, { signal: terms.signal });
      attempt += 1;
    } finally {
      watch.close();
    }
  }
  throw new Error(`max retries exceeded: ${last instanceof Error ? last.message : last}`, { cause: last });
}

async function attemptPart(part: BlobPart, terms: PartTerms, watch: StallWatch): Promise<void> {
  const start = part.offset + part.completed;
  const missing = part.size - part.completed;
  const signal = AbortSignal.any([terms.signal, watch.signal]);
  const answer = await terms.ask(`bytes=${start}-${part.offset + part.size - 1}`, signal);
  const taken = await takeBytes(answer, start, missing, terms, watch);
  // A clean end too early is plain EOF to the client, which throws the attempt's bytes away; a connection that was
  // cut, cancelled or dropped as stalled keeps them.
  if (taken.count < missing && taken.failure === undefined) throw new Error("EOF");
  part.completed += taken.count;
  await terms.place.savePart(part);
  if (taken.failure !== undefined) throw taken.failure;
}

/** Up to `missing` bytes, put in place; with the failure that ended the body, if one did. */
async function takeBytes(
  answer: HttpExchange,
  start: number,
  missing: number,
  { place, onBytes }: PartTerms,
  watch: StallWatch,
): Promise<{ count: number; failure?: unknown }> {
  let count = 0;
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      const useful = chunk.subarray(0, missing - count);
      await place.write(start + count, useful);
      count += useful.length;
      watch.sawByte();
      onBytes(useful.length);
      if (count === missing) break;
    }
    return { count };
  } catch (failure) {
    return { count, failure };
  } finally {
    drop(answer);
  }
}
