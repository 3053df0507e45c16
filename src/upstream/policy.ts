/**
 * Owns Policy and Upstream: the numbers and switches of one upstream, as plain data. The defaults and the built-in upstreams are in
 * src/config/defaults.ts; nothing here reads a file or the environment.
 */
import type { Credentials, CredentialsOf } from "../oci/credentials.ts";

export type Policy = {
  /** A stored tag older than this is checked at the upstream (one HEAD). */
  readonly tagLifetimeMs: number;
  /** How long a "not found" is remembered. 0 switches it off. */
  readonly negativeLifetimeMs: number;
  /** If a tag is stored: the longest wait for the upstream before the stored one is served. */
  readonly offlineDeadlineMs: number;
  /** Upstream connections that one fill may use at once. */
  readonly lanes: number;
  /** Blobs up to this size use one lane. */
  readonly smallBlob: number;
  /** First segment of a lane that starts at a new place, bytes. */
  readonly firstSegment: number;
  /** Largest segment, bytes. */
  readonly largestSegment: number;
  /** A request ends when no byte came for this long. There is no limit on its total time. */
  readonly stallMs: number;
  /** Longest wait for response headers. */
  readonly headersMs: number;
  readonly connectMs: number;
  /** Failures in a row without progress before a fill may stall (F11). */
  readonly attempts: number;
  /** A transfer that has begun is kept through an outage of at least this long. */
  readonly outageMs: number;
  /** How long lanes go on after the last reader left (F13). */
  readonly lingerMs: number;
  /** Finish a blob that was begun, even if all readers leave. */
  readonly finish: boolean;
  /** While the origin delivers anything, every waiting reader gets a byte within this time (F17). */
  readonly starveMs: number;
  /** The status for clients when the upstream limits Granary and nothing is stored. */
  readonly rateLimitedStatus: 429 | 503 | 404;
  /** Content that only Granary's credentials can read: refuse it to anonymous clients, or share it with all of them. */
  readonly privateContent: "refuse" | "share";
};

export type Upstream = {
  /** The name that people and images use: "docker.io". */
  readonly name: string;
  /** Other names of the same registry: "registry-1.docker.io", "index.docker.io". */
  readonly aliases: readonly string[];
  /** Base URLs, tried in order: without "/v2", or with "/v2/" and a prefix that is put before every repository name. */
  readonly endpoints: readonly string[];
  /** A CredentialsOf is called for each request: there may be credentials for some repositories only, or from a later time on. */
  readonly credentials: Credentials | CredentialsOf | undefined;
  /** Hosts (beyond the endpoints' own and their registrable domain) that a token realm may name. */
  readonly realms: readonly string[];
  /** Private, loopback and link-local addresses are allowed for this upstream. */
  readonly internal: boolean;
  /** Paths of PEM files: extra CAs, a client certificate, and its key. */
  readonly caFile: string | undefined;
  readonly clientCertFile: string | undefined;
  readonly clientKeyFile: string | undefined;
  /** Which repository names are legal, and what a single one means: Hub puts "library/" before it. */
  readonly names: "oci" | "hub" | "ollama";
  /** Manifest requests carry the client's User-Agent: the Ollama registry answers 412 to clients that are too old. */
  readonly forwardUserAgent: boolean;
  /**
   * The name of the registry, sent as `?ns=` (as containerd does) to an endpoint that mirrors several registries; left out when the endpoint
   * is the registry itself.
   */
  readonly ns?: string;
  readonly policy: Policy;
};
