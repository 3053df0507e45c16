/**
 * Owns what a client's request is that is handed on as it came, and its answer: their types, and what sending it needs beside what every
 * exchange does. It sends nothing itself (transport.ts).
 */
import type { Readable } from "node:stream";

/** A registry may take minutes to put a large upload together before it answers. */
export const RELAY_HEADERS_MS = 15 * 60_000;

/** A request of a client, as it came. */
export type Relayed = {
  readonly method: string;
  /** Scheme, host and port. */
  readonly origin: URL;
  /** Path and query as the client wrote them. */
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly body: Readable | undefined;
  /** Ends the request and its body. */
  readonly signal: AbortSignal;
};

export type RelayedAnswer = {
  readonly status: number;
  /** Names and values in turn, as they came. */
  readonly headers: readonly string[];
  /** Whoever holds the answer reads it, or destroys it. */
  readonly body: Readable;
};

/** `attempt`, again only while nothing was read of the body: after that, what the first one threw. */
export function onceWith<T>(body: Readable | undefined, attempt: () => Promise<T>): () => Promise<T> {
  let failure: { readonly error: unknown } | undefined;
  return async () => {
    if (failure !== undefined && body?.readableDidRead === true) throw failure.error;
    try {
      return await attempt();
    } catch (error) {
      failure = { error };
      throw error;
    }
  };
}

/** For messages, which have no query. */
export function withPath(origin: URL, path: string): URL {
  const url = new URL(origin);
  url.pathname = path.split("?")[0] ?? "/";
  return url;
}

/** undici's types know only the other form of headers. */
export function rawList(headers: unknown): readonly string[] {
  return Array.isArray(headers) ? headers.map(String) : [];
}
