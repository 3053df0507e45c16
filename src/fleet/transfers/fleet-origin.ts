/**
 * Owns the Origin of a blob in a fleet: each range comes from where the fleet has it, and from upstream only while this node brings the blob for all
 * (G2). A place that fails is looked for again inside `open`, so that no reader hears of a node that died. It gives out what it reads as it is: the
 * fill verifies (G8), and the repository's own upstream is asked for permission elsewhere.
 */
import type { ByteRange } from "../../bytes/byte-range.ts";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import type { Allowance, Crowd, OpenedRange, Origin, WantedFor } from "../../origin.ts";
import { throwIfAborted } from "../../waiting/abort.ts";
import { within } from "../../waiting/deadline.ts";
import { sleep } from "../../waiting/sleep.ts";
import type { Lease } from "../fleet.ts";
import { drop, watched } from "../peers/peers.ts";
import type { HandOver } from "./hand-over.ts";
import { noted } from "./noted-body.ts";
import type { Place } from "./place.ts";
import type { Transfer } from "./transfer.ts";
import type { TransferParts } from "./transfer-parts.ts";

/** The pause before a place that failed is looked for again. */
const AGAIN_MS = 200;
/** What a predecessor left is looked for so long; then the line is used. */
const SOURCES_MS = 5_000;
/**
 * Who follows another node reads little ahead: that node fetches all of it anyway, and each place that is asked of it becomes a place that its lanes are
 * to begin at, where on a slow line something is lost with every one that is cut for another.
 */
const FOLLOWING: Crowd = { most: 2, queued: 0 };
const CLIENT: WantedFor = { purpose: "waited" };

export class FleetOrigin implements Origin {
  readonly name: string;
  readonly #own: Origin;
  readonly #find: () => Transfer;
  readonly #parts: TransferParts;

  /** `own` is the upstream's. `find` gives the transfer that the running fill of the blob belongs to, or one of its own where there is none. */
  constructor(own: Origin, find: () => Transfer, parts: TransferParts) {
    this.name = own.name;
    this.#own = own;
    this.#find = find;
    this.#parts = parts;
  }

  get crowd(): Crowd | undefined {
    if (this.#isOwn) return this.#own.crowd;
    return this.#transfer.place?.is === "peer" ? FOLLOWING : undefined;
  }

  get allowance(): Allowance | undefined {
    return this.#isOwn ? this.#own.allowance : undefined;
  }

  holds(wantedFor: WantedFor): boolean {
    return this.#transfer.isLooking || this.#own.holds?.(wantedFor) === true;
  }

  doubt(): boolean {
    return this.#transfer.blame();
  }

  strike(): void {
    this.#own.strike();
  }

  async open(range: ByteRange, signal: AbortSignal, wantedFor: WantedFor = CLIENT): Promise<OpenedRange> {
    for (;;) {
      const place = await this.#transfer.whereabouts(signal);
      if (place.is === "alone") return await this.#own.open(range, signal, wantedFor);
      if (place.is === "mine") return await this.#openMine(place, range, signal, wantedFor);
      const opened = await this.#openInside(place, range, signal, wantedFor);
      if (opened !== undefined) return opened;
      await sleep(AGAIN_MS, this.#parts.clock, signal);
      throwIfAborted(signal, "reading from the fleet");
    }
  }

  get #transfer(): Transfer {
    return this.#find();
  }

  get #isOwn(): boolean {
    const { place } = this.#transfer;
    return place === undefined || place.is === "mine" || place.is === "alone";
  }

  /** undefined when the place did not serve: it is doubted then. */
  async #openInside(
    place: Extract<Place, { is: "bucket" | "peer" }>,
    range: ByteRange,
    signal: AbortSignal,
    wantedFor: WantedFor,
  ): Promise<OpenedRange | undefined> {
    const { clock } = this.#parts;
    const askedAt = clock.elapsed();
    try {
      const opened = await (place.is === "bucket"
        ? this.#openBucket(place, range, signal)
        : this.#openPeer(place, range, signal, wantedFor));
      if (opened === undefined) this.#transfer.doubt(place);
      else this.#transfer.served(place);
      return opened;
    } catch (error) {
      if (!isGranaryError(error, "fleet-unavailable")) throw error;
      this.#tell(place, error);
      this.#transfer.doubt(place, clock.elapsed() - askedAt);
      return undefined;
    }
  }

  /** The bucket is told of elsewhere, for all blobs. */
  #tell(place: Place, error: unknown): void {
    const { log, episodes } = this.#parts;
    const facts = { reason: messageOf(error) };
    if (place.is !== "peer") return void log.debug(facts, "the bucket of the fleet did not serve a blob");
    const { node, address } = place.holder;
    const text = `node ${node} of the fleet cannot be read from at ${address}: until it can, blobs come another way`;
    episodes.trouble(`peer ${node}`, facts, text);
  }

  // --- from inside the fleet ---------------------------------------------------------------------------------------

  async #openBucket(
    place: Extract<Place, { is: "bucket" }>,
    range: ByteRange,
    signal: AbortSignal,
  ): Promise<OpenedRange | undefined> {
    const { object } = place;
    const { size = object.size } = this.#transfer;
    if (size !== object.size) {
      this.#transfer.contradicted(place);
      return undefined;
    }
    const wanted = { start: range.start, end: Math.min(range.end, object.size) };
    const opened = await this.#parts.bucket.open(object.objectKey, wanted, signal);
    if (opened === undefined) {
      await this.#transfer.forget(place);
      return undefined;
    }
    const body = noted(opened.body, this.#parts, "bucket", () => this.#transfer.doubt(place));
    return { ...opened, rangeBlind: false, body };
  }

  async #openPeer(
    place: Extract<Place, { is: "peer" }>,
    range: ByteRange,
    signal: AbortSignal,
    { purpose }: WantedFor,
  ): Promise<OpenedRange | undefined> {
    const { peers, clock } = this.#parts;
    const { holder } = place;
    const question = { kind: "filling", ...this.#transfer.key, epoch: holder.epoch } as const;
    const opened = await peers.open(holder, question, range, purpose, signal);
    if (opened === undefined) return undefined;
    const transfer = this.#transfer;
    const watching = watched(opened.body, clock, () => transfer.isWorthWaiting(place));
    const broke = () => transfer.doubt(place);
    const body = noted(watching, this.#parts, "peer", broke, () => transfer.reach.heard());
    return { ...opened, rangeBlind: false, body, dismiss: () => drop(opened.body) };
  }

  // --- for all -----------------------------------------------------------------------------------------------------

  async #openMine(
    { lease, sources: finding }: Extract<Place, { is: "mine" }>,
    range: ByteRange,
    signal: AbortSignal,
    wantedFor: WantedFor,
  ): Promise<OpenedRange> {
    const sources = finding && (await within(finding, SOURCES_MS, this.#parts.clock));
    const known = await sources?.open(range, signal);
    if (known !== undefined) {
      this.#transfer.servedBySources();
      return known;
    }
    const end = Math.min(range.end, sources?.nextStart(range.start) ?? range.end);
    return await this.#openUpstream(lease, { start: range.start, end }, signal, wantedFor);
  }

  async #openUpstream(
    lease: Lease,
    range: ByteRange,
    signal: AbortSignal,
    wantedFor: WantedFor,
  ): Promise<OpenedRange> {
    const { handOver } = this.#transfer;
    const either = AbortSignal.any([signal, lease.lost]);
    if (!lease.isMine) throw fenced();
    const over = handOver.waits();
    try {
      const opened = await this.#own.open(range, either, wantedFor);
      return {
        ...opened,
        ...hasArrivedOf(opened),
        body: fromUpstream(opened.body, lease, signal, handOver),
        dismiss: () => opened.dismiss(),
      };
    } catch (error) {
      throw failureOf(error, lease, signal, handOver);
    } finally {
      over();
    }
  }
}

/** The lease was lost, and not because the reader left: whoever reads asks again, and then follows whoever has it now (G13). */
function isFenced({ lost }: Lease, signal: AbortSignal): boolean {
  return lost.aborted && !signal.aborted;
}

/** Nothing was wrong with the line: the lanes go on at once. */
function fenced(): GranaryError {
  return new GranaryError("upstream-unavailable", "Another node of the fleet brings this blob now.", {
    unsentForMs: 0,
  });
}

/** What the fill hears of a failure upstream. One that was no one's wish is noted. */
function failureOf(error: unknown, lease: Lease, signal: AbortSignal, handOver: HandOver): unknown {
  if (isFenced(lease, signal)) return fenced();
  if (!signal.aborted) handOver.failed();
  return error;
}

async function* fromUpstream(
  body: AsyncIterable<Uint8Array>,
  lease: Lease,
  signal: AbortSignal,
  handOver: HandOver,
): AsyncGenerator<Uint8Array> {
  let over = handOver.waits();
  try {
    for await (const chunk of body) {
      over();
      handOver.came();
      yield chunk;
      over = handOver.waits();
    }
  } catch (error) {
    throw failureOf(error, lease, signal, handOver);
  } finally {
    over();
  }
}

function hasArrivedOf({ hasArrived }: OpenedRange): Pick<OpenedRange, "hasArrived"> {
  return hasArrived === undefined ? {} : { hasArrived };
}
