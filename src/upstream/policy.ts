/**
 * Owns Policy and Upstream: the per-upstream numbers and switches, as plain data. Defaults and the built-in list
 * are config's; nothing here reads a file or the environment.
 */
import type { Credentials, CredentialsOf } from "../oci/credentials.ts";

export type Policy = {
  /** After this a tag is asked for again (one HEAD). */
  readonly tagLifetimeMs: number;
  /** How long "not there" is believed. 0 switches it off. */
  readonly negativeLifetimeMs: number;
  /** With a stored tag, the longest wait for the upstream before the stored one is served. */
  readonly offlineDeadlineMs: number;
  /** Upstream connections that one fill may use at once. */
  readonly lanes: number;
  /** Blobs up to this size use one lane. */
  readonly smallBlob: number;
  /** First segment of a lane that starts somewhere new, bytes. */
  readonly firstSegment: number;
  /** Largest segment, bytes. */
  readonly largestSegment: number;
  /** No byte for this long ends a request (never a total timeout). */
  readonly stallMs: number;
  /** Longest wait for response headers. */
  readonly headersMs: number;
  readonly connectMs: number;
  /** Failures in a row without progress before a fill may stall (F11). */
  readonly attempts: number;
  /** A transfer that has begun outlives an outage of at least this. */
  readonly outageMs: number;
  /** How long lanes go on after the last reader left (F13). */
  readonly lingerMs: number;
  /** Finish a blob that was begun, whoever leaves. */
  readonly finish: boolean;
  /** While the origin delivers anything, every wait gets a byte within this (F17). */
  readonly starveMs: number;
  /** What a client hears when the upstream limits us and nothing is stored. */
  readonly rateLimitedStatus: 429 | 503 | 404;
  /** Content that only our credentials can read: refuse it to anonymous clients, or share it with all of them. */
  readonly privateContent: "refuse" | "share";
};

export type Upstream = {
  /** The name that people and images use: "docker.io". */
  readonly name: string;
  /** Other names that mean the same: "registry-1.docker.io", "index.docker.io". */
  readonly aliases: readonly string[];
  /** Base URLs, tried in order: without "/v2", or with "/v2/" and a prefix that every repository has there. */
  readonly endpoints: readonly string[];
  /** A look-up is asked for each request: there may be credentials, for some repositories or from tomorrow on. */
  readonly credentials: Credentials | CredentialsOf | undefined;
  /** Hosts (beyond the endpoints' own and their registrable domain) that a token realm may name. */
  readonly realms: readonly string[];
  /** Private, loopback and link-local addresses are allowed for this upstream. */
  readonly internal: boolean;
  /** Path of a PEM file with extra CAs, and of a client certificate with key. */
  readonly caFile: string | undefined;
  readonly clientCertFile: string | undefined;
  readonly clientKeyFile: string | undefined;
  /** Which names are legal, and what a bare one means: Hub puts "library/" before single names. */
  readonly names: "oci" | "hub" | "ollama";
  /** Manifest requests carry the client's User-Agent: the Ollama registry answers by it (412). */
  readonly forwardUserAgent: boolean;
  /**
   * The registry that is meant, where the endpoint is a mirror of many (`?ns=`, as containerd tells its mirrors); left
   * out where the endpoint is the registry itself.
   */
  readonly ns?: string;
  readonly policy: Policy;
};
