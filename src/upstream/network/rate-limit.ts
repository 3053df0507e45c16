/**
 * Owns the reading of Docker Hub's `ratelimit-*` headers (docs/protocol.md#docker-hub-rate-limits): "100;w=21600", possibly several,
 * separated by commas. Pure.
 */
import type { IncomingHttpHeaders } from "node:http";

/** Docker Hub's pull budget, from its `ratelimit-*` headers. */
export type RateLimit = {
  readonly limit: number;
  readonly remaining: number;
  readonly windowMs: number;
  readonly seenAt: number;
};

/** undefined when the headers are absent (an unlimited account) or unreadable. */
export function parseRateLimit(headers: IncomingHttpHeaders, now: number): RateLimit | undefined {
  const limit = tightest(headers["ratelimit-limit"]);
  const remaining = tightest(headers["ratelimit-remaining"]);
  if (limit === undefined || remaining === undefined) return undefined;
  return { limit: limit.value, remaining: remaining.value, windowMs: limit.windowMs, seenAt: now };
}

/** Of several policies, the one with the smallest value: that is the one which will stop us. */
function tightest(header: string | string[] | undefined): { value: number; windowMs: number } | undefined {
  const policies = String(header ?? "")
    .split(",")
    .flatMap((policy) => {
      const [, value, window] = /^\s*(\d+)(?:\s*;\s*w=(\d+))?/.exec(policy) ?? [];
      return value === undefined ? [] : [{ value: Number(value), windowMs: Number(window ?? 0) * 1000 }];
    });
  return policies.sort((a, b) => a.value - b.value)[0];
}
