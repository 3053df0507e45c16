/**
 * Owns the Origin of one blob in one upstream repository: it opens ranges, asks the registry again when a signed redirect has expired, and
 * notices when the upstream states another size than before. It never repeats a failed request and never looks at the bytes.
 */
import type { ByteRange } from "../../bytes/byte-range.ts";
import { formatRangeHeader } from "../../bytes/http-range.ts";
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { joinWords, type ToldError } from "../../oci/error-body.ts";
import { redactUrl } from "../../oci/redact.ts";
import type { Allowance, Crowd, OpenedRange, Origin, WantedFor } from "../../origin.ts";
import { identify } from "../identity/identity.ts";
import { hiddenError } from "../network/answer-error.ts";
import type { At, Attempt } from "../network/caller.ts";
import { MeasuredBody } from "../network/measured-body.ts";
import { PaidBody } from "../network/paid-body.ts";
import { discardBody, refuseEncoded } from "../network/read-body.ts";
import { readRefusal, wordsOf } from "../network/refusal.ts";
import { transportError } from "../network/transport-error.ts";
import { blobUrl, repositoryAt } from "../registry-url.ts";
import type { Uplink } from "./ask-registry.ts";
import { askRegistry, type Reply } from "./ask-registry.ts";
import { checkIsBlob, type OfferedRange, readOfferedRange } from "./blob-answer.ts";

/**
 * How long a signed URL is used. Asking the registry for each segment would double the round trips. Those of Docker Hub and R2 are valid for
 * 20 minutes and more (docs/protocol.md#ollama-registry-blobs), and an earlier end is noticed.
 */
const SIGNED_MS = 60_000;

/** Of whom nobody says more. */
const CLIENT: WantedFor = { purpose: "waited" };

type Asked = { readonly signal: AbortSignal; readonly wantedFor: WantedFor; readonly paid: PaidBody };
type SignedUrl = { readonly endpoint: string; readonly url: URL; readonly until: number };

export class BlobOrigin implements Origin {
  readonly name: string;
  readonly #uplink: Uplink;
  readonly #repository: string;
  readonly #digest: Digest;
  #size: number | undefined;
  #signed: SignedUrl | undefined;
  #endpoint: string | undefined;

  constructor(uplink: Uplink, repository: string, digest: Digest) {
    this.name = `${uplink.upstream.name}/${repository}`;
    this.#uplink = uplink;
    this.#repository = repository;
    this.#digest = digest;
  }

  async open(range: ByteRange, signal: AbortSignal, wantedFor: WantedFor = CLIENT): Promise<OpenedRange> {
    const { bandwidth, upstream } = this.#uplink;
    const paid = new PaidBody(bandwidth, upstream.name, wantedFor, signal);
    const bytes = await paid.begin(range.end - range.start, upstream.policy.starveMs);
    try {
      return await this.#open({ start: range.start, end: range.start + bytes }, { signal, wantedFor, paid });
    } catch (error) {
      paid.end();
      throw error;
    }
  }

  async #open(range: ByteRange, asked: Asked): Promise<OpenedRange> {
    const { signal, wantedFor } = asked;
    // The CDN is asked first: it may serve even while the registry is away.
    const remembered = await this.#askSigned(range, signal, wantedFor);
    if (remembered !== undefined) return this.#accept(remembered, range, asked);
    let told: readonly ToldError[] = [];
    const attempt: Attempt<OpenedRange> = async (at) => {
      const reply = await this.#ask(range, { ...at, wantedFor }, (words) => {
        told = words;
      });
      this.#endpoint = at.endpoint;
      return reply && this.#accept(reply, range, asked);
    };
    const opened = await this.#uplink.caller.once(
      { kind: "blob", repository: this.#repository },
      signal,
      attempt,
    );
    if (opened !== undefined) return opened;
    const words = joinWords(told);
    const why = words === undefined ? "" : `. The registry says: ${words}`;
    throw new GranaryError("not-found", `${this.name} has no blob ${this.#digest}${why}.`, {
      target: this.name,
    });
  }

  get crowd(): Crowd | undefined {
    const { transport, endpoints } = this.#uplink;
    const [endpoint] = endpoints.order;
    const url = this.#signed?.url ?? (endpoint === undefined ? undefined : new URL(endpoint));
    return url && transport.crowdAt(url);
  }

  get allowance(): Allowance | undefined {
    const { bandwidth, upstream } = this.#uplink;
    return bandwidth.allowance(upstream.name);
  }

  holds(wantedFor: WantedFor): boolean {
    return this.#uplink.bandwidth.holds(wantedFor);
  }

  strike(): void {
    this.#signed = undefined;
    if (this.#endpoint !== undefined) this.#uplink.endpoints.demote(this.#endpoint);
  }

  /** An answer with a body to use; undefined when the registry says that the blob is not there, in the words that `onAbsent` hears. */
  async #ask(
    range: ByteRange,
    at: At & Pick<Asked, "wantedFor">,
    onAbsent: (told: readonly ToldError[]) => void,
  ): Promise<Reply | undefined> {
    let reply = await this.#askAt(range, at);
    if (isRefusedUrl(reply)) {
      // The signed URL had expired already: the registry signs another (docs/protocol.md#docker-hub-blobs).
      discardBody(reply);
      reply = await this.#askAt(range, at);
    }
    if (reply.status === 200 || reply.status === 206) {
      this.#remember(reply, at.endpoint);
      return reply;
    }
    if (!reply.isAbroad && reply.status === 404) {
      onAbsent(await wordsOf(reply, this.#uplink.clock));
      return undefined;
    }
    throw await this.#failure(reply);
  }

  async #askAt(range: ByteRange, at: At & Pick<Asked, "wantedFor">): Promise<Reply> {
    const { endpoint, signal, onAbroad, wantedFor } = at;
    return askRegistry(this.#uplink, {
      kind: "blob",
      method: "GET",
      url: blobUrl(endpoint, this.#repository, this.#digest),
      headers: rangeHeaders(range),
      repository: repositoryAt(endpoint, this.#repository),
      identity: await identify(this.#uplink.upstream, this.#repository, at),
      signal,
      wantedFor,
      onAbroad,
    });
  }

  /**
   * The answer of the remembered signed URL, if it still serves. If anything goes wrong there, the registry is asked next. While the registry
   * is away, the URL is used beyond its time, and its failure is the answer.
   */
  async #askSigned(
    range: ByteRange,
    signal: AbortSignal,
    wantedFor: WantedFor | undefined,
  ): Promise<Reply | undefined> {
    const signed = this.#signed;
    const { clock, caller } = this.#uplink;
    if (signed === undefined || (signed.until <= clock.elapsed() && !caller.isAway)) return undefined;
    try {
      const answer = await this.#uplink.transport.send({
        kind: "blob",
        method: "GET",
        url: signed.url,
        headers: rangeHeaders(range),
        isStranger: false,
        signal,
        wantedFor,
      });
      if (answer.status === 200 || answer.status === 206) {
        this.#endpoint = signed.endpoint;
        return { ...answer, isAbroad: true, isAuthorized: false, says: undefined, secrets: [] };
      }
      discardBody(answer);
    } catch (error) {
      if (caller.isAway || isGranaryError(error, "aborted", "closed")) throw error;
    }
    if (this.#signed === signed) this.#signed = undefined;
    return undefined;
  }

  #remember({ url, isAbroad, isAuthorized }: Reply, endpoint: string): void {
    if (!isAbroad || isAuthorized) return;
    this.#signed = { endpoint, url, until: this.#uplink.clock.elapsed() + SIGNED_MS };
  }

  /** A limit or a refusal of the CDN is not the registry's, and must not stop questions to the whole upstream. */
  async #failure(reply: Reply): Promise<GranaryError> {
    const { clock } = this.#uplink;
    const isHidden = !reply.isAbroad && reply.status === 401;
    const { code, message, facts } = isHidden
      ? hiddenError(reply, await wordsOf(reply, clock))
      : await readRefusal(reply, clock);
    const isOwn = !reply.isAbroad || reply.status === 416;
    return new GranaryError(isOwn ? code : "upstream-unavailable", message, { ...facts, target: this.name });
  }

  #accept(reply: Reply, asked: ByteRange, { signal, paid }: Asked): OpenedRange {
    const doing = `GET ${redactUrl(reply.url)}`;
    try {
      refuseEncoded(reply);
      checkIsBlob(reply.headers, this.#digest, doing);
      const answer = readOfferedRange(reply.status, reply.headers, asked, doing);
      this.#compare(answer, doing);
      const { upstream, metrics, onFetched } = this.#uplink;
      const body = new MeasuredBody({
        stream: reply.body,
        length: answer.range.end - answer.range.start,
        doing,
        toError: (error) => transportError(error, "GET", reply.url, signal),
        paid,
        count: (bytes) => {
          metrics.upstreamBytes.inc({ upstream: upstream.name, kind: "blob" }, bytes);
          onFetched(this.#repository, bytes);
        },
      });
      return { ...answer, body, hasArrived: () => body.hasArrived, dismiss: () => body.dismiss() };
    } catch (error) {
      reply.body.on("error", () => undefined).destroy();
      throw error;
    }
  }

  /**
   * The size must stay what it was. After a change the old one is forgotten, so that the next answer sets it anew. Validators (ETag) are not
   * compared: each node of a CDN may have its own for the same bytes, and the digest decides in the end.
   */
  #compare({ size }: OfferedRange, doing: string): void {
    const known = this.#size;
    this.#size = size ?? known;
    if (known === undefined || size === undefined || size === known) return;
    this.#size = undefined;
    throw new GranaryError("upstream-protocol", `${doing}: the size was ${known} and is now ${size}.`, {
      expected: known,
      found: size,
      reason: "the registry states another size than before",
    });
  }
}

/** Expired signatures are answered with 403 by S3 and R2, and with 400 by others. For an object that is gone, a new URL is tried as well. */
function isRefusedUrl({ isAbroad, status }: Reply): boolean {
  return isAbroad && [400, 401, 403, 404, 410, 416].includes(status);
}

/** Without a known end the whole is asked for. */
function rangeHeaders(range: ByteRange): Record<string, string> {
  if (range.end === Number.POSITIVE_INFINITY) return {};
  return range.end > range.start ? { range: formatRangeHeader(range) } : {};
}
