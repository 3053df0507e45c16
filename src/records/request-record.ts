/**
 * Owns what one request of a client adds to the records: to the Traffic of its repository and its client, and to its Pull. While bytes go out it
 * only adds to numbers. It knows nothing of HTTP.
 */
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { FailureFacts } from "./cause.ts";
import type { OpenPull } from "./pull.ts";
import type { Pulls } from "./pulls.ts";
import type { Traffic, TrafficCell } from "./traffic.ts";

export type RecordedRequest = {
  readonly client: string | undefined;
  readonly userAgent: string | undefined;
  readonly upstream: string;
  readonly repository: string;
  /** Undefined for lists, which are no part of a pull. */
  readonly reference: { readonly tag: string } | { readonly digest: Digest } | undefined;
  readonly kind: "manifest" | "blob" | "list";
  readonly isHead: boolean;
};

export type RequestEnd = {
  /** Where the answer came from: what was stored, an upstream, or nowhere because there was none. */
  readonly from: "stored" | "upstream" | "nowhere";
  /** The client has all of the answer. */
  readonly isWhole: boolean;
  /** Why there was no answer; undefined where the client left before one came. */
  readonly failure: string | undefined;
  /** Its cause, where that is known. */
  readonly cause?: FailureFacts | undefined;
};

/** Names of documents about an image, such as signatures: clients look whether there are any (docs/protocol.md#podman-and-skopeo). */
const ABOUT_AN_IMAGE = /^sha(256|512)-[0-9a-f]{64}/;

export class RequestRecord {
  readonly #asked: RecordedRequest;
  readonly #traffic: Traffic;
  readonly #pulls: Pulls;
  readonly #pull: OpenPull | undefined;
  /** Where there is no pull that has them. */
  #own: readonly TrafficCell[] | undefined;

  constructor(
    asked: RecordedRequest,
    { traffic, pulls }: { readonly traffic: Traffic; readonly pulls: Pulls },
  ) {
    this.#asked = asked;
    this.#traffic = traffic;
    this.#pulls = pulls;
    this.#pull = isOfPull(asked) ? pulls.join(asked) : undefined;
    const digest = this.#blob;
    if (digest !== undefined) this.#pull?.asked(digest);
  }

  /** The pull that it is a part of, as far as is known. */
  get pull(): { readonly id: number | undefined; readonly tag: string | undefined } | undefined {
    return this.#pull;
  }

  /** A manifest is the answer. */
  found(manifest: Manifest): void {
    if (this.#pull === undefined) return;
    this.#pull.found(manifest);
    this.#pulls.confirm(this.#pull);
  }

  /** Only the digest of a manifest is the answer. */
  saw(digest: Digest): void {
    if (this.#pull !== undefined) this.#pull.digest ??= digest;
  }

  /** Bytes of the answer went out. */
  sent(bytes: number): void {
    for (const { sums } of this.#cells) sums.served += bytes;
    this.#pull?.sent(this.#blob, bytes);
  }

  /** Bytes went out that are no content: the words of a refusal. The repository may be invented. */
  refused(bytes: number): void {
    const cell = this.#traffic.take(this.#asked.upstream);
    cell.sums.served += bytes;
    this.#traffic.letGo(cell);
  }

  /** To be called once, when the request is over. */
  end({ from, isWhole, failure, cause }: RequestEnd): void {
    if (from !== "nowhere" && !this.#asked.isHead && this.#asked.kind !== "list") this.#count(from);
    if (this.#own !== undefined) for (const cell of this.#own) this.#traffic.letGo(cell);
    if (this.#pull === undefined) return;
    this.#pull.answered(this.#what, { isWhole, failure, cause });
    this.#pulls.left(this.#pull);
  }

  #count(from: "stored" | "upstream"): void {
    const name = from === "stored" ? "hits" : "misses";
    const isCounted = this.#pull?.counts(this.#blob, name) ?? true;
    if (isCounted) for (const { sums } of this.#cells) sums[name] += 1;
    if (this.#pull === undefined) return;
    if (isCounted) this.#pull[name] += 1;
    if (this.#asked.kind === "blob") this.#pulls.confirm(this.#pull);
  }

  /** To be called once there is an answer: the repository exists. A pull keeps them until it is over. */
  get #cells(): readonly TrafficCell[] {
    if (this.#pull !== undefined) {
      this.#pull.cells ??= this.#takeCells();
      return this.#pull.cells;
    }
    this.#own ??= this.#takeCells();
    return this.#own;
  }

  #takeCells(): readonly TrafficCell[] {
    const { upstream, repository, client } = this.#asked;
    const own = this.#traffic.takeClient(client);
    const all = this.#traffic.take(upstream, repository);
    return own === undefined ? [all] : [all, own];
  }

  get #blob(): Digest | undefined {
    const { kind, reference } = this.#asked;
    return kind === "blob" && reference !== undefined && "digest" in reference ? reference.digest : undefined;
  }

  get #what(): string {
    const { reference } = this.#asked;
    if (reference === undefined) return "";
    return "tag" in reference ? reference.tag : reference.digest;
  }
}

function isOfPull(asked: RecordedRequest): asked is RecordedRequest & {
  readonly client: string;
  readonly kind: "manifest" | "blob";
  readonly reference: NonNullable<RecordedRequest["reference"]>;
} {
  const { client, kind, reference, isHead } = asked;
  if (client === undefined || reference === undefined || kind === "list") return false;
  if (kind === "blob") return !isHead;
  return "digest" in reference || !ABOUT_AN_IMAGE.test(reference.tag);
}
