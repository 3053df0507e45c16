/**
 * Owns the small grammars of the headers between us and an upstream: Retry-After, the ratelimit headers, Link, Content-Length,
 * Content-Type, the digest headers and Basic. Each function reads or writes one thing and decides nothing. Ranges are in
 * bytes/http-range.ts, challenges in oci/challenge.ts. Pure.
 */
import type { IncomingHttpHeaders } from "node:http";
import { isByteCount } from "../../bytes/byte-range.ts";
import type { PasswordCredentials } from "../../oci/credentials.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { RATE_LIMIT_RETRIES } from "../../waiting/retry-numbers.ts";

/** How many pulls Docker Hub still allows us (docs/protocol.md#docker-hub-rate-limits). */
export type PullBudget = {
  readonly limit: number;
  readonly remaining: number;
  readonly windowMs: number;
  /** Epoch ms. */
  readonly seenAt: number;
};

/**
 * Retry-After (RFC 9110, 10.2.3), seconds or an HTTP date, in milliseconds from now; undefined when it is absent or unreadable. A date is
 * one of the server's clock, so it is compared with the `Date` of the same answer, and with our clock (`now`, epoch ms) only without one.
 */
export function parseRetryAfter(header: string | undefined, now: number, date?: string): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const sentAt = Date.parse(date ?? "");
  const ms = /^\d+$/.test(text)
    ? Number(text) * 1000
    : Date.parse(text) - (Number.isNaN(sentAt) ? now : sentAt);
  return Number.isNaN(ms) ? undefined : Math.min(RATE_LIMIT_RETRIES.longestRetryAfterMs, Math.max(0, ms));
}

/**
 * The budget in `ratelimit-limit` and `ratelimit-remaining`: "100;w=21600", possibly several separated by commas. undefined when they are
 * absent (an account without a limit) or unreadable. `now` in epoch ms.
 */
export function parsePullBudget(headers: IncomingHttpHeaders, now: number): PullBudget | undefined {
  const limit = tightest(headers["ratelimit-limit"]);
  const remaining = tightest(headers["ratelimit-remaining"]);
  if (limit === undefined || remaining === undefined) return undefined;
  return { limit: limit.value, remaining: remaining.value, windowMs: limit.windowMs, seenAt: now };
}

/** Of several limits the one with the smallest value: it is reached first. */
function tightest(header: string | string[] | undefined): { value: number; windowMs: number } | undefined {
  const policies = String(header ?? "")
    .split(",")
    .flatMap((policy) => {
      const [, value, window] = /^\s*(\d+)(?:\s*;\s*w=(\d+))?/.exec(policy) ?? [];
      return value === undefined ? [] : [{ value: Number(value), windowMs: Number(window ?? 0) * 1000 }];
    });
  return policies.sort((a, b) => a.value - b.value)[0];
}

/** Content-Length, bytes; undefined when it is absent, or not a number that a double holds exactly. */
export function parseContentLength(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  return isByteCount(Number(text)) ? Number(text) : undefined;
}

/** The media type without its parameters, in lower case; undefined when there is none. */
export function parseMediaType(contentType: string | undefined): string | undefined {
  return contentType?.split(";")[0]?.trim().toLowerCase() || undefined;
}

/**
 * The digest that an answer names. The Ollama registry has a header of its own, seen both with and without the algorithm in front. undefined
 * when there is none in a form that we know.
 */
export function parseDigestHeader(headers: IncomingHttpHeaders): Digest | undefined {
  const text = String(headers["docker-content-digest"] ?? headers["ollama-content-digest"] ?? "")
    .trim()
    .toLowerCase();
  return [text, `sha256:${text}`].find(isDigest);
}

/** Authorization: Basic (RFC 7617). The result is a secret: it goes into that header and nowhere else. */
export function formatBasic({ username, password }: PasswordCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}

const TARGET = /^\s*<([^>]*)>/;
const PARAMETER = /^\s*;\s*([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/;

/** The target of the first link with rel="next" (RFC 8288), of one Link header or several; undefined when there is none. */
export function parseNextLink(header: string | readonly string[] | undefined): string | undefined {
  let rest = typeof header === "string" ? header : (header ?? []).join(", ");
  while (rest !== "") {
    const found = TARGET.exec(rest);
    if (found === null) return undefined;
    rest = rest.slice(found[0].length);
    let rel: string | undefined;
    for (let parameter = PARAMETER.exec(rest); parameter !== null; parameter = PARAMETER.exec(rest)) {
      rest = rest.slice(parameter[0].length);
      const [, name = "", quoted, bare = ""] = parameter;
      if (name.toLowerCase() === "rel") rel ??= quoted ?? bare;
    }
    if (rel?.toLowerCase().split(/\s+/).includes("next") === true) return found[1] ?? "";
    rest = rest.replace(/^[^,]*,?/, "");
  }
  return undefined;
}
