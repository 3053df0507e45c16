/**
 * Owns the account of what a fake registry was asked and what it sent. It only records: nothing here answers.
 */
import type { IncomingHttpHeaders } from "node:http";

export type OriginName = "registry" | "auth" | "cdn";
export type RequestKind = "ping" | "manifest" | "blob" | "tags" | "referrers" | "token" | "other";

export type RequestRecord = {
  readonly origin: OriginName;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The fields of a POST. */
  form: URLSearchParams | undefined;
  readonly range: string | undefined;
  readonly kind: RequestKind;
  readonly repository: string | undefined;
  /** Tag, digest or nothing. */
  readonly reference: string | undefined;
  /** Client port: requests with one number came over one socket. */
  readonly connection: number;
  /** Epoch ms. */
  readonly startedAt: number;
  status: number;
  /** Body bytes that the kernel took. */
  bytesSent: number;
  /** The answer was sent to its end, or the connection is gone. */
  finished: boolean;
};

export type RequestFilter = {
  readonly origin?: OriginName;
  readonly method?: string;
  readonly kind?: RequestKind;
  readonly repository?: string;
  readonly reference?: string;
  readonly status?: number;
};

export class Account {
  readonly requests: RequestRecord[] = [];
  /** Requests to the CDN that carried Authorization: each one is a leak. */
  readonly violations: RequestRecord[] = [];
  #running = new Map<string, number>();
  #most = new Map<string, number>();

  matching(filter: RequestFilter): RequestRecord[] {
    return this.requests.filter((request) =>
      Object.entries(filter).every(([key, value]) => request[key as keyof RequestRecord] === value),
    );
  }

  /** Body bytes of `digest` that left any origin. */
  bytesSentFor(digest: string): number {
    const bodies = this.requests.filter((request) => request.kind === "blob" && request.reference === digest);
    return bodies.reduce((sum, request) => sum + request.bytesSent, 0);
  }

  /** The most bodies of `digest` that were under way at one moment. */
  maxConcurrentFor(digest: string): number {
    return this.#most.get(digest) ?? 0;
  }

  beginBody(record: RequestRecord): () => void {
    const key = record.kind === "blob" ? (record.reference ?? "") : "";
    const now = (this.#running.get(key) ?? 0) + 1;
    this.#running.set(key, now);
    this.#most.set(key, Math.max(now, this.#most.get(key) ?? 0));
    return () => this.#running.set(key, (this.#running.get(key) ?? 1) - 1);
  }

  clear(): void {
    this.requests.length = 0;
    this.violations.length = 0;
    this.#most.clear();
  }
}
