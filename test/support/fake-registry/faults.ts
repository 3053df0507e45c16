/**
 * Owns the faults that a fake registry can be told to commit, and which request gets which: the first planned
 * fault that matches, counted down. It never touches a socket; send-reply.ts does what a fault says.
 */
import type { OriginName, RequestRecord } from "./account.ts";

/** Byte counts are body bytes of the one answer, except `offset`, which is a place in the blob. */
export type Fault =
  /** RST before any header. */
  | { readonly kind: "reset" }
  /** FIN before any header. */
  | { readonly kind: "hang-up" }
  | { readonly kind: "delay"; readonly ms: number }
  /** Headers never come. */
  | { readonly kind: "hang" }
  | { readonly kind: "drip"; readonly bytes: number; readonly everyMs: number }
  /** A body that is not longer comes to its end: its connection would be taken for free, and the next request on it would wait. */
  | { readonly kind: "stall"; readonly afterBytes: number }
  | { readonly kind: "cut"; readonly afterBytes: number }
  /**
   * Ends too early and cleanly: chunked; with the right Content-Length and a FIN; or with a Content-Length that is
   * as wrong as the body.
   */
  | {
      readonly kind: "short";
      readonly afterBytes: number;
      readonly framing: "chunked" | "fin" | "wrong-length";
    }
  | { readonly kind: "extra"; readonly bytes: number; readonly framing: "chunked" | "length" }
  | { readonly kind: "flip"; readonly offset: number }
  | { readonly kind: "ignore-range" }
  /** `null` takes the header away; several values are several lines. */
  | { readonly kind: "headers"; readonly headers: Readonly<Record<string, string | string[] | null>> }
  | { readonly kind: "gzip" }
  /** The true answer, its head written as `head` says (lines with their ends), on a connection that is closed after it. */
  | {
      readonly kind: "raw";
      readonly head: (head: string) => string;
      readonly framing?: "chunked" | ChunkWriter;
    }
  | {
      readonly kind: "status";
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: "rate-limited"; readonly retryAfter?: string; readonly plain?: boolean }
  | {
      readonly kind: "redirect";
      readonly status?: number;
      readonly location: string | ((request: RequestRecord) => string);
    }
  | { readonly kind: "redirect-loop"; readonly status?: number }
  | { readonly kind: "big-headers"; readonly bytes: number }
  /** A body that never ends, without Content-Length. */
  | { readonly kind: "endless" };

/** One chunk as it goes over the wire; an empty one is the last. */
export type ChunkWriter = (bytes: Buffer) => Buffer;

export type PlannedFault = {
  /** Tested against the path, or asked about the whole request. */
  readonly match: RegExp | ((request: RequestRecord) => boolean);
  readonly method?: string;
  readonly origin?: OriginName;
  /** How many matching requests suffer; counted down as they come. */
  times: number;
  readonly fault: Fault;
};

/** The fault that `request` suffers, if any; spends one of its times. */
export function takeFault(planned: readonly PlannedFault[], request: RequestRecord): Fault | undefined {
  const hit = planned.find((plan) => plan.times > 0 && applies(plan, request));
  if (hit === undefined) return undefined;
  hit.times -= 1;
  return hit.fault;
}

function applies(plan: PlannedFault, request: RequestRecord): boolean {
  if (plan.method !== undefined && plan.method !== request.method) return false;
  if (plan.origin !== undefined && plan.origin !== request.origin) return false;
  return plan.match instanceof RegExp ? plan.match.test(request.path) : plan.match(request);
}
