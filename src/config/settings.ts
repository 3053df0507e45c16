/**
 * Owns Settings: everything a process needs to know before it starts, parsed, checked and with defaults filled in.
 * Plain data; no file, no environment and no text form of a number is left in it.
 */
import type { BucketSettings } from "../fleet/s3/bucket-settings.ts";
import type { Login } from "../oci/credentials.ts";
import type { RecordSettings } from "../records/retention.ts";
import type { NamePattern } from "../routing/name-pattern.ts";
import type { BandwidthSettings } from "../upstream/network/bandwidth-hours.ts";
import type { TlsMaterial } from "../upstream/network/trust.ts";
import type { Upstream } from "../upstream/policy.ts";
import type { PassageSettings } from "./sections/passage.ts";
import type { PrefetchSetting } from "./sections/prefetch.ts";
import type { WarmSetting } from "./sections/warm.ts";

/** Paths of the certificate, the key and the file with the login's password; read again on a reload. */
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
  /** Name of the upstream that a request means here when it names none. */
  readonly upstream: string;
  /** If set, every request must carry these by Basic authentication. */
  readonly login: Login | undefined;
  /** PEM texts; with them the listener speaks https. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** It speaks https by the names of upstreams, with certificates of the own authority. */
  readonly tlsFromCa?: boolean;
  readonly files?: ListenerFiles;
};

/** The listener of the intercepting proxy. */
export type ProxySettings = {
  /** 0 lets the system choose (tests). */
  readonly port: number;
  /** The address to listen on; undefined means all of them. */
  readonly host: string | undefined;
  /** Hosts besides upstreams to which it tunnels. */
  readonly tunnel: "none" | "any" | readonly string[];
};

export type StorageSettings = {
  readonly directory: string;
  /** Budget of blobs and partials together, bytes. */
  readonly maxSize: number;
  /** Bytes of the disk that stay free whatever the budget says. */
  readonly minFree: number;
  /** Each stored blob is hashed again within this time; 0 or undefined: never. */
  readonly verifyEveryMs?: number;
};

export type ClientSettings = {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** How long a client may take no byte of what it asked for. */
  readonly stallMs: number;
  /** Whether blobs may leave by sendfile(2), where it can be had; they do when left out. */
  readonly sendfile?: boolean;
};

export type AdminSettings = {
  /** 0 lets the system choose (tests). */
  readonly port: number;
  readonly host: string;
  /** Asked of everybody, wherever they come from; undefined: as the address of the listener needs it. */
  readonly token: string | undefined;
  /** The path that `token` comes from; read again on a reload. */
  readonly tokenFile?: string;
  /** Whether reading needs the token too, where there is one. */
  readonly view: "anyone" | "token";
  /** Names by which browsers may come here, besides addresses and localhost. */
  readonly hosts: readonly string[];
};

/** What makes this Granary a node of a fleet. */
export type FleetSettings = {
  /** The name of this node: the same after a restart, and no other node's. */
  readonly node: string;
  /** Nodes of one zone read from each other first. */
  readonly zone: string | undefined;
  /** Address of the PostgreSQL database, with its login: a secret. */
  readonly database: string;
  readonly bucket: BucketSettings & {
    /** Bytes that the bucket may hold; no limit when left out. */
    readonly maxSize?: number;
  };
  readonly internal: InternalSettings;
  /** For how long a client of a public repository is sent to the bucket by a signed address, ms; 0: never. */
  readonly redirectMs: number;
};

/** The listener by which nodes read from each other. */
export type InternalSettings = {
  /** 0 lets the system choose (tests). */
  readonly port: number;
  readonly host: string | undefined;
  /** `HOST[:PORT]` by which the other nodes reach it; undefined: this machine's name, and the port. */
  readonly address: string | undefined;
  /** What every node must know; undefined where certificates decide. */
  readonly secret: string | undefined;
  /** PEM texts. With them both sides show a certificate that `ca` has signed. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | undefined;
};

export type LogSettings = { readonly level: string; readonly format: "auto" | "pretty" | "json" };

/** An Upstream with the texts of the PEM files that it names. */
export type UpstreamSettings = Upstream & {
  readonly tls: TlsMaterial | undefined;
  /** Credentials are looked up in the login files of docker and podman, at each use. */
  readonly credentialsFrom?: "docker-config";
  /** Path of the file with the password of `credentials`; it is read again when the password is refused. */
  readonly passwordFile?: string;
  /** What may pass of it; everything, and at once, when left out. */
  readonly passage?: PassageSettings;
};

export type Settings = {
  readonly listeners: readonly ListenerSettings[];
  readonly storage: StorageSettings;
  readonly upstreams: readonly UpstreamSettings[];
  /** What is never evicted; nothing when left out. */
  readonly keep?: readonly NamePattern[];
  /** How long is kept what was pulled, and by whom. */
  readonly traffic?: RecordSettings;
  readonly bandwidth?: BandwidthSettings;
  /** undefined: there is no admin listener. */
  readonly admin?: AdminSettings | undefined;
  /** Lists that are brought in before clients ask; none when left out. */
  readonly warm?: readonly WarmSetting[];
  /** What is fetched once a manifest was served; nothing when left out. */
  readonly prefetch?: PrefetchSetting;
  /** When everything that is stored is verified as a job, a schedule that can be read; never when left out. */
  readonly verify?: string;
  /** Set on a node of a fleet. */
  readonly fleet?: FleetSettings;
  /** There is no proxy listener when left out. */
  readonly proxy?: ProxySettings;
  /** DNS servers that are asked where upstreams are, `ADDRESS[:PORT]`; those of the system when left out. */
  readonly resolver?: readonly string[];
  /** No limits when left out; a configuration always has them. */
  readonly clients?: ClientSettings;
  /** How long running transfers may go on after a stop was asked for. */
  readonly drainMs: number;
  readonly log: LogSettings;
};
