/** Owns what the registry origin's answers share: the state they read, and the error form of the distribution-spec. */

import type { Contents } from "./contents.ts";
import type { Fault } from "./faults.ts";
import { type Reply, textReply } from "./send-reply.ts";
import type { FakeSettings } from "./settings.ts";
import type { Tokens } from "./tokens.ts";

export type RegistryAnswer = Reply;

export type RegistryState = {
  readonly contents: Contents;
  readonly settings: FakeSettings;
  readonly tokens: Tokens;
  readonly authUrl: string;
  readonly cdnUrl: string;
  readonly registryUrl: string;
  /** Pulls spent, by identity. */
  readonly spent: Map<string, number>;
  /** Epoch ms of the fake's clock. */
  now(): number;
};

export function errorReply(
  status: number,
  code: string,
  message: string,
  more: { detail?: unknown; headers?: Record<string, string> } = {},
): RegistryAnswer {
  const { detail, headers } = more;
  const error = { code, message, ...(detail !== undefined && { detail }) };
  return textReply(status, JSON.stringify({ errors: [error] }), {
    "content-type": "application/json",
    "docker-distribution-api-version": "registry/2.0",
    ...headers,
  });
}

/** The two forms of Docker Hub's 429: the pull limit's JSON, and the abuse limit's plain text (docs/protocol.md#docker-hub-rate-limits). */
export function tooManyRequests({ retryAfter, plain }: Extract<Fault, { kind: "rate-limited" }>): Reply {
  const headers: Record<string, string> = retryAfter === undefined ? {} : { "retry-after": retryAfter };
  if (plain === true)
    return textReply(429, "Too Many Requests\n", { "content-type": "text/plain", ...headers });
  return errorReply(429, "TOOMANYREQUESTS", "You have reached your unauthenticated pull rate limit.", {
    headers,
  });
}
