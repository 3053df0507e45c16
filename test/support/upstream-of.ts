/** Owns the Upstream values of tests: one that points at a fake registry, with a policy made for small blobs. */
import type { Policy, Upstream } from "../../src/upstream/policy.ts";

const testPolicy: Policy = {
  tagLifetimeMs: 600_000,
  negativeLifetimeMs: 5_000,
  offlineDeadlineMs: 3_000,
  lanes: 6,
  smallBlob: 4 * 2 ** 20,
  firstSegment: 2 ** 20,
  largestSegment: 16 * 2 ** 20,
  // Real time: shorter ones are passed by a busy machine as well. A test of them sets its own.
  stallMs: 15_000,
  headersMs: 20_000,
  connectMs: 10_000,
  attempts: 5,
  outageMs: 3_000,
  lingerMs: 1_000,
  finish: false,
  starveMs: 5_000,
  rateLimitedStatus: 429,
  privateContent: "refuse",
};

/** The fake's token server counts as a trusted realm, and loopback addresses are allowed. */
export function upstreamOf(
  fake: { readonly url: string; readonly authUrl: string },
  { policy, ...overrides }: Partial<Omit<Upstream, "policy">> & { policy?: Partial<Policy> } = {},
): Upstream {
  return {
    name: "fake.test",
    aliases: [],
    endpoints: [fake.url],
    credentials: undefined,
    realms: [new URL(fake.authUrl).hostname],
    internal: true,
    caFile: undefined,
    clientCertFile: undefined,
    clientKeyFile: undefined,
    names: "oci",
    forwardUserAgent: false,
    policy: { ...testPolicy, ...policy },
    ...overrides,
  };
}
