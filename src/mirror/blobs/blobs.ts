/**
 * Owns where a blob comes from: the disk, a running or new Fill, or the origin itself when there is no room to keep it. Every blob that is
 * given out is pinned. links.ts knows which repository has it, and the Fill how it is fetched.
 */
import type { ByteRange } from "../../bytes/byte-range.ts";
import { GranaryError } from "../../errors.ts";
import type { FillAsk } from "../../fill/fill-ask.ts";
import type { Fills } from "../../fill/fills.ts";
import { PassThrough } from "../../fill/pass-through.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import { type Digest, possibleSize } from "../../oci/digest.ts";
import type { Origin } from "../../origin.ts";
import type { Wanting } from "../../purpose.ts";
import type { EventTeller } from "../../records/events.ts";
import type { BlobTarget } from "../../routing/target.ts";
import type { BlobReader, ReadableBlob } from "../../source.ts";
import type { PartialKey } from "../../store/partial.ts";
import type { UpstreamClient } from "../../upstream/upstream-client.ts";
import { type Links, statedSize } from "../access/links.ts";
import type { FoundBlob, Outcome } from "../mirror.ts";
import type { Pins } from "../space/pins.ts";
import type { Reservation, Space } from "../space/space.ts";
import type { Uses } from "../space/uses.ts";
import type { SoundBlobs } from "../upkeep/sound-blobs.ts";
import { ConfirmingOrigin } from "./confirming-origin.ts";
import { FailingFills } from "./failing-fills.ts";
import { FillLog } from "./fill-log.ts";
import { provingReader, tellingReader } from "./repository-reader.ts";
import { restOf } from "./rest-of.ts";
import { openStoredBlob } from "./stored-blob.ts";

export type BlobParts = {
  readonly sound: SoundBlobs;
  readonly fills: Fills;
  readonly space: Space;
  readonly links: Links;
  readonly pins: Pins;
  readonly uses: Uses;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Hears of fills. */
  readonly events?: EventTeller;
  readonly random: () => number;
  /** In a fleet: the same blob, from wherever the fleet has it. */
  readonly shared?: ((key: PartialKey, own: Origin) => Origin) | undefined;
  /** In a fleet: an address, for a few minutes, by which anybody may get the blob; undefined where it is not stored for all. */
  readonly addressOf?: ((digest: Digest) => Promise<string | undefined>) | undefined;
};

type Sized = { readonly digest: Digest; readonly size: number | undefined; readonly outcome: Outcome };

export class Blobs {
  readonly #parts: BlobParts;
  readonly #failing: FailingFills | undefined;
  #isClosed = false;

  constructor(parts: BlobParts) {
    this.#parts = parts;
    this.#failing = parts.events && new FailingFills(parts.events, parts.clock);
  }

  /** A readable blob; the caller releases it. F12: the pin is taken before the first look-up. */
  async open(client: UpstreamClient, target: BlobTarget, wanting: Wanting): Promise<FoundBlob> {
    const release = this.#parts.pins.pin(target.digest);
    try {
      const stated = await this.#statedOfCold(client, target);
      // Stored bytes are served once this repository's own upstream has answered for it there (docs/protocol.md#private-content).
      const size = stated ?? (await this.#parts.links.confirm(client, target, target.digest));
      this.#parts.uses.touch(target.digest);
      const stored =
        stated === undefined ? await this.#stored(client, target, size, wanting, release) : undefined;
      if (stored !== undefined) return { blob: stored, outcome: "hit" };
      return await this.#cold(client, target, size, wanting, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Whether `address` can ever give one. */
  get hasAddresses(): boolean {
    return this.#parts.addressOf !== undefined;
  }

  /**
   * Where the client may get the blob itself, without its bytes passing here; undefined where it is to be served from here. Only what the upstream
   * shows to everybody has such an address: whoever learns of it can use it (G11). Throws as `open`.
   */
  async address(client: UpstreamClient, target: BlobTarget): Promise<string | undefined> {
    const { addressOf, links, sound } = this.#parts;
    const { digest } = target;
    if (addressOf === undefined || client.hasOwnAccess) return undefined;
    if (await links.isImported(target, digest)) return undefined;
    const size = await links.confirm(client, target, digest);
    if ((await sound.stat(digest, size)) !== undefined) return undefined;
    return await addressOf(digest);
  }

  /** Size without a body, as this repository's upstream has it: from disk, or by one upstream HEAD, which is remembered. */
  async stat(client: UpstreamClient, target: BlobTarget): Promise<Sized> {
    const { digest } = target;
    const size = await this.#parts.links.confirm(client, target, digest);
    const stored = await this.#parts.sound.stat(digest, size);
    if (stored !== undefined) return { digest, size: stored.size, outcome: "hit" };
    return { digest, size, outcome: "miss" };
  }

  /** No reader begins a fill any more: the process stops. */
  close(): void {
    this.#isClosed = true;
  }

  /**
   * What a document of this repository says of a blob that is nowhere here: that is enough to fetch it with, because the upstream's answer
   * to the fetch is the proof that it is there. undefined in all other cases.
   */
  async #statedOfCold(client: UpstreamClient, target: BlobTarget): Promise<number | undefined> {
    const { digest } = target;
    const { links, fills, sound } = this.#parts;
    const link = await links.find(target, digest);
    const stated = link?.confirmed === undefined ? link && statedSize(link) : undefined;
    if (stated === undefined) return undefined;
    links.refuseAbsent(target, digest);
    if ((await sound.stat(digest, stated)) !== undefined) return undefined;
    const own = client.blobOrigin(target.repository, digest).name;
    const isOthers = fills.find(target)?.origins.some((name) => name !== own) ?? false;
    return isOthers ? undefined : stated;
  }

  async #stored(
    client: UpstreamClient,
    target: BlobTarget,
    likelySize: number | undefined,
    wanting: Wanting,
    release: () => void,
  ): Promise<ReadableBlob | undefined> {
    const { digest } = target;
    const { sound, fills } = this.#parts;
    // While a fill runs, its readers get what is there (F9), unless another upstream has brought the whole blob meanwhile.
    if (fills.find(target) !== undefined && (await sound.stat(digest, likelySize)) === undefined)
      return undefined;
    const opened = await sound.open(digest, likelySize);
    if (opened === undefined) return undefined;
    const { stored } = opened;
    const { size } = stored;
    return openStoredBlob(opened, release, async (error, range, offset) => {
      // While the damaged file is in its place, a new one cannot be kept.
      const isTrusted = await stored.isVerified().catch(() => false);
      const isMended = await sound.dropDamaged(digest, error, stored);
      const room = isMended ? await this.#parts.space.reserve(target, size) : undefined;
      const ask = this.#askOf(client, target, size, wanting);
      const rest = range === undefined ? undefined : { start: offset, end: range.end };
      const reader = tellingReader(
        { links: this.#parts.links, client, target, size },
        this.#reader(ask, room, rest),
      );
      const given = { skipped: range === undefined ? offset : 0, from: isTrusted ? undefined : stored };
      return restOf(reader, given, () => room?.release());
    });
  }

  /** Where nobody states the size (`said` is undefined), the blob is read to its end once, by everybody who asks meanwhile. */
  async #cold(
    client: UpstreamClient,
    target: BlobTarget,
    said: number | undefined,
    wanting: Wanting,
    unpin: () => void,
  ): Promise<FoundBlob> {
    const refusal = client.offline();
    // A transfer that has everything only waits for the disk.
    if (refusal !== undefined && this.#parts.fills.find(target)?.isWhole !== true) throw refusal;
    const settled = await this.#settled(client, target, said);
    const size = settled ?? said;
    const ask = { ...this.#askOf(client, target, size, wanting), isSizeSure: settled !== undefined };
    const room = await this.#parts.space.reserve(target, size ?? 0);
    const asked = { links: this.#parts.links, client, target, size: size ?? 0 };
    const reader = (range?: ByteRange, ahead?: readonly ByteRange[]) =>
      provingReader(asked, tellingReader(asked, this.#reader(ask, room, range, ahead)));
    const release = () => {
      room?.release();
      unpin();
    };
    return { blob: { digest: target.digest, size, reader, release }, outcome: outcomeOf(room) };
  }

  /** Where a running fill goes by another size than this repository knows of, the upstream settles it; undefined where it need not. */
  async #settled(
    client: UpstreamClient,
    target: BlobTarget,
    said: number | undefined,
  ): Promise<number | undefined> {
    const running = this.#parts.fills.find(target);
    if (said === undefined || running?.size === undefined || running.size === said) return undefined;
    return await this.#parts.links.measure(client, target, target.digest);
  }

  #askOf(client: UpstreamClient, target: BlobTarget, size: number | undefined, wanting: Wanting) {
    const { repository, digest } = target;
    const { links } = this.#parts;
    const own = new ConfirmingOrigin(client.blobOrigin(repository, digest), (found) => {
      const measured = possibleSize(digest, found);
      const isMeasured = measured !== undefined;
      return links.record(target, {
        kind: "confirmed",
        digest,
        size: measured,
        isMeasured,
        mediaType: undefined,
      });
    });
    const { log, clock } = this.#parts;
    const events = this.#failing?.tellerOf(target);
    const observer = new FillLog(target, { log, clock, ...(events && { events }) }, wanting);
    const { policy } = client.upstream;
    const origin = this.#parts.shared?.({ digest, upstream: target.upstream }, own) ?? own;
    return { digest, upstream: target.upstream, size, origin, policy, observer, ...wanting };
  }

  /** The fill is obtained only now, when somebody reads: until then nothing is asked of the upstream. */
  #reader(
    ask: FillAsk & Wanting,
    room: Reservation | undefined,
    range: ByteRange | undefined,
    ahead?: readonly ByteRange[],
  ): BlobReader {
    if (this.#isClosed) return failing(new GranaryError("closed", "Granary is shutting down."));
    if (room === undefined) return this.#passedThrough(ask, range);
    const fill = this.#parts.fills.obtain(ask);
    const [said, found] = [ask.size, fill.size];
    if (said === undefined || found === undefined || said === found) return fill.reader(range, ahead, ask);
    return failing(otherSize(ask.digest, said, found));
  }

  #passedThrough(
    { digest, size, origin, policy, purpose }: FillAsk & Wanting,
    range: ByteRange | undefined,
  ): BlobReader {
    const { clock, random, metrics } = this.#parts;
    metrics.bypasses.inc();
    const whole = { start: 0, end: size ?? Number.POSITIVE_INFINITY };
    const asked = { digest, size, origin, range: range ?? whole, whole: range === undefined, purpose };
    return new PassThrough(asked, policy, clock, random);
  }
}

function outcomeOf(room: Reservation | undefined): Outcome {
  if (room === undefined) return "bypass";
  return room.isShared ? "shared" : "miss";
}

function failing(error: GranaryError): BlobReader {
  return { read: () => Promise.reject(error), close: () => undefined };
}

/** F2: this client was told one size, and the running fill goes by another; one of the two descriptors is wrong. */
function otherSize(digest: Digest, size: number, found: number): GranaryError {
  const message = `${digest} was said to have ${size} bytes, and is being filled as one of ${found}.`;
  return new GranaryError("size-mismatch", message, { expected: size, found, target: digest });
}
