/**
 * Owns the UpstreamClient port: what the Mirror asks of one upstream. Absence is a value. No client's signal and no client's credentials ever come
 * in here, but for two: the question whether they open something, and `relay`, which hands on a client's own request. Both keep nothing.
 */
import type { Duplex } from "node:stream";
import type { GranaryError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { ToldError } from "../oci/error-body.ts";
import type { Origin } from "../origin.ts";
import type { BodyRoom } from "./network/body-room.ts";
import type { BudgetReturn } from "./network/budget-return.ts";
import type { PullBudget } from "./network/headers.ts";
import type { AnswerTimes } from "./network/latency.ts";
import type { RelayAsk } from "./network/relay.ts";
import type { RelayedAnswer } from "./network/relayed.ts";
import type { TlsMaterial } from "./network/trust.ts";
import type { Upstream } from "./policy.ts";

export type ManifestAsk = {
  readonly repository: string;
  /** A tag or a digest. */
  readonly reference: string;
  /** Media types for the Accept header, in order. */
  readonly accept: readonly string[];
  /** Sent upstream only where the Upstream says so. */
  readonly userAgent: string | undefined;
  /** Called with the registry's own words when it is not there, before `undefined` is returned. With several endpoints the last one counts. */
  readonly onAbsent?: OnAbsent;
};

export type OnAbsent = (told: readonly ToldError[]) => void;

/** Headers of an upstream manifest answer, unchecked. */
export type UncheckedHead = {
  readonly digest: Digest | undefined;
  readonly mediaType: string | undefined;
  readonly size: number | undefined;
};

export type ManifestBody = UncheckedHead & { readonly bytes: Uint8Array };

/** What an upstream says of a blob that it has. */
export type BlobHead = {
  /** Bytes; undefined when it does not say. */
  readonly size: number | undefined;
  /** True when the size comes from a GET, which is more reliable than a HEAD. */
  readonly isMeasured: boolean;
};

/** A list of an upstream, in memory until `release` is called. */
type LoadedList = {
  /** The upstream's JSON text, as it came; without a byte order mark. */
  readonly body: Buffer;
  readonly count: number;
  readonly release: () => void;
};

export type TagsPage = LoadedList & {
  /** The query of the next page, from the `Link` of the upstream, without a question mark. Only the upstream knows what it means. */
  readonly next: string | undefined;
};

/** An OCI index of all referrers, from all pages. */
export type ReferrersList = LoadedList;

/** One of several addresses of an upstream. */
export type EndpointStatus = AnswerTimes & {
  /** With its port if it has one. */
  readonly host: string;
  /** It is the one that is asked first now. */
  readonly isFirst: boolean;
  /** It failed, and comes after the others until then; epoch ms. */
  readonly retryAt: number | undefined;
};

export type UpstreamStatus = {
  readonly name: string;
  /** "closed" is healthy; "open" means requests are answered locally until `retryAt` (epoch ms). */
  readonly circuit: "closed" | "open" | "probing";
  readonly retryAt: number | undefined;
  readonly reason: string | undefined;
  /** Why the circuit is open: the upstream does not answer, or it limits us. */
  readonly openBecause?: "away" | "limited" | undefined;
  /** Since when a person has set it offline, epoch ms; undefined while nobody has. */
  readonly offlineSince: number | undefined;
  readonly rateLimit: PullBudget | undefined;
  /** When it allows more again, where that is known. */
  readonly budgetReturn?: BudgetReturn | undefined;
  /** How fast it answers, all endpoints together. */
  readonly answers?: AnswerTimes;
  /** In the configured order. */
  readonly endpoints?: readonly EndpointStatus[];
  /** How far this machine's clock is ahead of the upstream's, as its last answer said; ms, with a second's error. */
  readonly clockAheadMs?: number | undefined;
};

/**
 * "open": anybody can read the repository. "granted": anybody gets a token that opens it for pulls, and whether it exists was not seen.
 * "closed": a token for those who did not log in says that it does not open it. "refused": they are refused (401, 403), which registries in
 * trouble do as well. "unclear": they are refused what their own token grants. "unseen": what was asked for is not there for them, which says nothing of the repository.
 */
type View = "open" | "granted" | "closed" | "refused" | "unclear" | "unseen";

export type Sight = {
  readonly view: View;
  /** What the manifest that was asked for is to them, where one was seen. */
  readonly digest?: Digest;
};

export type ViewAsk = {
  readonly repository: string;
  /** What is asked for: something that the repository contains, as far as we know. */
  readonly by: { readonly manifest: string } | { readonly blob: Digest };
  /** Return "unseen" at once, without looking at other evidence. */
  readonly looksNoFurther?: boolean;
};

/** One thing that a client asks for. */
export type ReadingAsk = { readonly repository: string } & (
  | {
      readonly kind: "manifest";
      /** A tag or a digest. */
      readonly reference: string;
      /** As in ManifestAsk. */
      readonly accept: readonly string[];
    }
  | { readonly kind: "blob"; readonly digest: Digest }
  | { readonly kind: "tags"; readonly query: string }
  | { readonly kind: "referrers"; readonly digest: Digest }
);

export type Permission = {
  /** False also for what is not there. */
  readonly mayRead: boolean;
  /** Of a manifest that may be read: which one it is to this client now. */
  readonly digest?: Digest;
};

/**
 * Every method throws `upstream-unavailable`, `upstream-protocol`, `upstream-refused` (a 4xx of its own, about the one question),
 * `rate-limited`, `unauthorized`, `denied`, `closed`;
 * while the circuit is open they throw at once with `retryAfterMs` and send nothing. `undefined` means the upstream
 * said that it is not there (404). Manifests and lists throw `not-found` where it did not say whether that is so (401 after a
 * fresh token: absent or private), which is no reason to give up what is stored. Equal requests that overlap are
 * not merged here; the Mirror does that.
 */
export interface UpstreamClient {
  readonly upstream: Upstream;
  /**
   * Questions carry something that only we have: a login, or one that may be found, or a client certificate. What is readable from where
   * this process stands without any of these (a private network, a proxy) counts as readable by everybody.
   */
  readonly hasOwnAccess: boolean;

  /** Also throws `client-outdated` for 412 with its text. */
  headManifest(ask: ManifestAsk): Promise<UncheckedHead | undefined>;
  /** At most 16 MiB of body, else `upstream-protocol`. */
  getManifest(ask: ManifestAsk): Promise<ManifestBody | undefined>;
  /** Size by HEAD, or by a GET of one byte where HEAD does not tell. */
  headBlob(repository: string, digest: Digest): Promise<BlobHead | undefined>;
  /** Size by a GET of one byte, whatever a HEAD says. */
  measureBlob(repository: string, digest: Digest): Promise<BlobHead | undefined>;
  blobOrigin(repository: string, digest: Digest): Origin;
  /** The list that the upstream answers to `query`, of which only `ns` is its own business; see BodyRoom for `room`. */
  tags(repository: string, query: string, room: BodyRoom, onAbsent?: OnAbsent): Promise<TagsPage | undefined>;
  /** What the referrers API lists; undefined when the upstream has no such API. */
  referrers(repository: string, digest: Digest, room: BodyRoom): Promise<ReferrersList | undefined>;
  /**
   * A sentence for errors: which credentials questions about `repository` are asked with, or that there are none and where they
   * were looked for. Never a secret. Sends nothing; throws `config-invalid`.
   */
  saysIdentity(repository: string): Promise<string>;
  /**
   * What somebody without our credentials gets to see of `repository` (always "open" when there can be none). One anonymous question about
   * `by`, and where that does not tell, others that may; throws when nothing tells now.
   */
  viewAnonymously(ask: ViewAsk): Promise<Sight>;
  /**
   * Whether the upstream gives this one thing to somebody who shows `authorization`, the value of that header as a client of ours sent it. It goes
   * to the endpoints that have the name of this upstream, to no other host, and is kept nowhere; where none has it, nobody may read. Throws where the upstream does not tell now; a limit of that
   * client (`rate-limited`) counts for no other question.
   */
  confirmReading(ask: ReadingAsk, authorization: string): Promise<Permission>;

  /** A client's own request, to the registry itself; see relay.ts. It says nothing of the upstream's health. */
  relay(ask: RelayAsk): Promise<RelayedAnswer>;
  /** True while an answer of the registry that the client addressed as `host` is being read: it is there, however long another one takes. */
  isServing(host: string): boolean;
  /** True where the token server at `url`, which this registry has named, is known not to answer. Waits a few seconds at most, and throws nothing. */
  isTokenServerAway(url: URL): Promise<boolean>;
  /** A connection to the registry itself, which the client addressed as `host`, for what is not HTTP. */
  connect(host: string, signal: AbortSignal): Promise<Duplex>;

  status(): UpstreamStatus;
  /** The same as the status tells, without the rest of it: asked for with each request for a tag. */
  pullBudget(): PullBudget | undefined;
  /**
   * From now on nothing is asked, and what is under way ends: every question throws `upstream-unavailable` at once, with what to do. `since` is
   * epoch ms; undefined lifts that.
   */
  setOffline(since: number | undefined): void;
  /** What questions get while it is offline; undefined while it is not. */
  offline(): GranaryError | undefined;
  /**
   * What connections that are made from now on trust and show; requests under way go on. Throws `config-invalid`, and nothing
   * changes then.
   */
  renewTls(tls: TlsMaterial | undefined): void;
  close(): Promise<void>;
}
