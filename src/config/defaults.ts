/**
 * Owns the defaults of the configuration: the built-in upstreams, the Policy, listeners and storage. The list of upstreams is also the
 * allow-list: a registry that is neither here nor in the file cannot be reached (docs/protocol.md#private-addresses).
 */
import type { Policy, Upstream } from "../upstream/policy.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

export const DEFAULT_POLICY: Policy = {
  tagLifetimeMs: 10 * 60_000,
  negativeLifetimeMs: 10_000,
  offlineDeadlineMs: 3_000,
  lanes: 6,
  smallBlob: 4 * MIB,
  firstSegment: MIB,
  largestSegment: 64 * MIB,
  stallMs: 15_000,
  headersMs: 20_000,
  connectMs: 10_000,
  attempts: 12,
  outageMs: 120_000,
  lingerMs: 10_000,
  finish: false,
  starveMs: 5_000,
  rateLimitedStatus: 429,
  privateContent: "refuse",
};

/** What differs for a built-in upstream; the rest is as for any other. */
type BuiltIn = Partial<Omit<Upstream, "name" | "policy">> & { readonly policy?: Partial<Policy> };

export const BUILT_IN_UPSTREAMS: Readonly<Record<string, BuiltIn>> = {
  "docker.io": {
    aliases: ["registry-1.docker.io", "index.docker.io"],
    endpoints: ["https://registry-1.docker.io"],
    realms: ["auth.docker.io"],
    names: "hub",
  },
  "registry.ollama.ai": {
    aliases: ["ollama.com"],
    realms: ["ollama.com"],
    names: "ollama",
    forwardUserAgent: true,
    // Its CDN is slow on one connection and fast on many; Ollama itself fetches 16 parts at once (docs/protocol.md#ollama-registry-blobs).
    policy: { lanes: 16 },
  },
  "ghcr.io": {},
  "quay.io": {},
  "registry.k8s.io": {},
  "gcr.io": {},
  "mcr.microsoft.com": {},
  "public.ecr.aws": {},
  // Its challenge to an expired token names another host (NVIDIA/nvidia-container-toolkit#1945).
  "nvcr.io": { realms: ["authn.nvidia.com"] },
  // Scarf in front of GitHub: both the realm and the redirects are ghcr.io's (getwud/wud#143).
  "lscr.io": { realms: ["ghcr.io"] },
  "hf.co": { aliases: ["huggingface.co"], realms: ["huggingface.co"], names: "ollama" },
};

/** An upstream for which nothing is configured: reached over https by its own name. */
export function plainUpstream(name: string): Upstream {
  return {
    name,
    aliases: [],
    endpoints: [`https://${name}`],
    credentials: undefined,
    realms: [],
    internal: false,
    caFile: undefined,
    clientCertFile: undefined,
    clientKeyFile: undefined,
    names: "oci",
    forwardUserAgent: false,
    policy: DEFAULT_POLICY,
  };
}

export const DEFAULT_LISTENERS: readonly { readonly port: number; readonly upstream: string }[] = [
  { port: 5000, upstream: "docker.io" },
  { port: 11435, upstream: "registry.ollama.ai" },
];

export const DEFAULT_STORAGE = {
  directory: "./data",
  maxSize: 200 * GIB,
  minFree: 5 * GIB,
  verifyEveryMs: 30 * 86_400_000,
};

/**
 * For one address: a lab of 500 machines behind it, each with the 16 connections of Ollama or of a parallel containerd, and half as many again.
 * A connection costs some 20 kB, so all together stay far below the memory that docker-compose.yml gives. stallMs: a busy disk stops a client
 * for seconds, and a person who looks into it for a minute or two; five minutes are more than both.
 */
export const DEFAULT_CLIENTS = {
  maxConnections: 16_384,
  maxConnectionsPerAddress: 12_288,
  stallMs: 5 * 60_000,
  sendfile: true,
};

export const DEFAULT_DRAIN_MS = 30_000;

export const DEFAULT_LOG = { level: "info", format: "auto" } as const;
