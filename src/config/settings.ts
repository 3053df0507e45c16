/**
 * Owns Settings: everything a process needs to know before it starts, parsed, checked and with defaults filled in.
 * Plain data; no file, no environment and no text form of a number is left in it.
 */
import type { Login } from "../oci/credentials.ts";
import type { TlsMaterial } from "../upstream/network/trust.ts";
import type { Upstream } from "../upstream/policy.ts";

/** Where certificate, key and the login's password stand; read again when somebody says so. */
export type ListenerFiles = {
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly passwordFile?: string | undefined;
};

export type ListenerSettings = {
  /** 0 lets the system choose (tests). */
  readonly port: number;
  /** The address to listen on; undefined means all of them, IPv6 too where there is any. */
  readonly host: string | undefined;
  /** Name of the upstream that a bare `/v2/...` means here. */
  readonly upstream: string;
  /** With it every request must carry these by Basic authentication. */
  readonly login: Login | undefined;
  /** PEM texts; with them the listener speaks https. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly files?: ListenerFiles;
};

export type StorageSettings = {
  readonly directory: string;
  /** Budget of blobs and partials together, bytes. */
  readonly maxSize: number;
  /** Bytes of the disk that stay free whatever the budget says. */
  readonly minFree: number;
  /** Within which each stored blob is hashed again; 0 or nothing: never. */
  readonly verifyEveryMs?: number;
};

export type ClientSettings = {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** How long a client may take nothing of what it asked for. */
  readonly stallMs: number;
};

export type LogSettings = { readonly level: string; readonly format: "auto" | "pretty" | "json" };

/** An Upstream with the texts of the PEM files that it names. */
export type UpstreamSettings = Upstream & {
  readonly tls: TlsMaterial | undefined;
  /** Whoever opens the upstream looks its credentials up in docker's and podman's login files, at use time. */
  readonly credentialsFrom?: "docker-config";
  /** Where the password of `credentials` stands; it is read anew when it is refused. */
  readonly passwordFile?: string;
};

export type Settings = {
  readonly listeners: readonly ListenerSettings[];
  readonly storage: StorageSettings;
  readonly upstreams: readonly UpstreamSettings[];
  /** No limits when left out; a configuration always has them. */
  readonly clients?: ClientSettings;
  /** How long bodies in flight may go on after a stop was asked for. */
  readonly drainMs: number;
  readonly log: LogSettings;
};
