/**
 * Owns one patient client of a fleet: it reads a whole blob, comes back by range at another node where a connection breaks, and tells what it had to
 * bear. It believes nothing: it hashes what it gets.
 */
import { createHash } from "node:crypto";
import { Agent, get, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export type FleetBlob = { readonly seed: number; readonly size: number; readonly digest: string };

/** What one client got: bytes that were checked, and what it had to bear. */
export type ClientReport = {
  readonly bytes: number;
  readonly firstByteMs: number;
  /** The longest time without a byte, from the beginning on. */
  readonly longestGapMs: number;
  /** How often it had to come back. */
  readonly returns: number;
};

export type ClientOptions = {
  /** Addresses of the blob at each node, in the order in which they are asked. */
  readonly urls: readonly string[];
  readonly mostMs: number;
  /** Hears what a node says instead of the bytes: its status and its text. */
  readonly refused: (text: string) => void;
};

/** The pause before a client comes back. */
const BACK_MS = 100;
const MOST_TEXT = 64 * 2 ** 10;

/** Throws for a wrong byte, and after `mostMs` without the end. */
export async function readAll(
  blob: FleetBlob,
  { urls, mostMs, refused }: ClientOptions,
): Promise<ClientReport> {
  const begun = performance.now();
  const hash = createHash("sha256");
  const over = AbortSignal.timeout(mostMs);
  let [at, returns, firstByteMs, longestGapMs, heardAt] = [0, -1, Number.NaN, 0, begun];
  for (let turn = 0; at < blob.size; turn++) {
    returns += 1;
    try {
      for await (const chunk of bodyOf(urls[turn % urls.length] ?? "", at, over, refused)) {
        const now = performance.now();
        if (at === 0) firstByteMs = now - begun;
        longestGapMs = Math.max(longestGapMs, now - heardAt);
        heardAt = now;
        hash.update(chunk);
        at += chunk.length;
      }
    } catch (error) {
      if (over.aborted)
        throw new Error(`a client has ${at} of ${blob.size} bytes after ${mostMs} ms`, { cause: error });
      await sleep(BACK_MS);
    }
  }
  if (`sha256:${hash.digest("hex")}` !== blob.digest) throw new Error("a client has got wrong bytes");
  return { bytes: at, firstByteMs, longestGapMs, returns };
}

/** Each on a connection of its own, as clients of many machines are. */
async function* bodyOf(
  url: string,
  at: number,
  over: AbortSignal,
  refused: ClientOptions["refused"],
): AsyncGenerator<Buffer> {
  const agent = new Agent();
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = at === 0 ? {} : { range: `bytes=${at}-` };
      get(url, { headers, agent, signal: over }, resolve).once("error", reject);
    });
    if (answer.statusCode === (at === 0 ? 200 : 206)) return yield* answer;
    let text = `${answer.statusCode} `;
    for await (const chunk of answer) if (text.length < MOST_TEXT) text += chunk;
    refused(text);
    throw new Error(text);
  } finally {
    agent.destroy();
  }
}
