/**
 * Owns what a node that takes over a blob need not fetch from upstream: what its predecessor had uploaded, and what other nodes have of it. It asks
 * them once, when the node takes over. What turns out to be of no use is left out from then on.
 */
import type { ByteRange } from "../../bytes/byte-range.ts";
import { isGranaryError, messageOf } from "../../errors.ts";
import type { OpenedRange } from "../../origin.ts";
import type { PartialKey } from "../../store/partial.ts";
import type { Left, Member } from "../fleet.ts";
import { drop, type PeerMap, watched } from "../peers/peers.ts";
import { noted } from "./noted-body.ts";
import { Salvage } from "./salvage.ts";
import type { TransferParts } from "./transfer-parts.ts";

type Peer = { readonly member: Member; readonly map: PeerMap };

/** How long a peer may say nothing in the middle of what it said that it has. */
const SILENT_MS = 5_000;

export class Sources {
  readonly #key: PartialKey;
  readonly #size: number;
  readonly #parts: TransferParts;
  #salvages: readonly Salvage[];
  #peers: readonly Peer[];

  private constructor(
    key: PartialKey,
    size: number,
    parts: TransferParts,
    salvages: readonly Salvage[],
    peers: readonly Peer[],
  ) {
    this.#key = key;
    this.#size = size;
    this.#parts = parts;
    this.#salvages = salvages;
    this.#peers = peers;
  }

  /** Never rejects: what cannot be had is fetched. */
  static async find(
    key: PartialKey,
    size: number,
    left: Left | undefined,
    parts: TransferParts,
  ): Promise<Sources> {
    const [salvages, peers] = await Promise.all([
      left === undefined ? [] : salvagesOf(key, size, left, parts),
      orNone(peersWith(key, size, parts), parts),
    ]);
    return new Sources(key, size, parts, salvages, peers ?? []);
  }

  /** Keys of what was made of what predecessors had uploaded: of no use once this blob is committed. */
  get leftovers(): readonly string[] {
    return this.#salvages.flatMap(({ keys }) => keys);
  }

  /** Bytes from `range.start` on, as many as one source has; undefined where none has that byte. Throws `aborted`. */
  async open(range: ByteRange, signal: AbortSignal): Promise<OpenedRange | undefined> {
    for (const salvage of this.#salvages) {
      const opened = await this.#fromSalvage(salvage, range, signal);
      if (opened !== undefined) return opened;
    }
    return await this.#fromPeers(range, signal);
  }

  /** Where a source has the next byte after `offset`; infinite where none has. What is asked of upstream ends there. */
  nextStart(offset: number): number {
    const starts = this.#peers.map(({ map }) => map.present.nextStart(offset, Number.POSITIVE_INFINITY));
    return Math.min(...this.#salvages.map((salvage) => salvage.nextStart(offset)), ...starts);
  }

  async #fromSalvage(
    salvage: Salvage,
    range: ByteRange,
    signal: AbortSignal,
  ): Promise<OpenedRange | undefined> {
    try {
      const opened = await salvage.open(range, signal);
      if (opened === undefined) return undefined;
      const body = noted(opened.body, this.#parts, "salvage", () => this.#without(salvage));
      return { ...opened, size: this.#size, rangeBlind: false, body };
    } catch (error) {
      if (isGranaryError(error, "aborted")) throw error;
      this.#without(salvage);
      return undefined;
    }
  }

  async #fromPeers(range: ByteRange, signal: AbortSignal): Promise<OpenedRange | undefined> {
    for (const peer of this.#peers) {
      const end = peer.map.present.endOfRunAt(range.start);
      if (end <= range.start) continue;
      try {
        return await this.#fromPeer(peer, { start: range.start, end: Math.min(end, range.end) }, signal);
      } catch (error) {
        if (isGranaryError(error, "aborted")) throw error;
        this.#without(peer);
      }
    }
    return undefined;
  }

  #without(source: Salvage | Peer): void {
    this.#salvages = this.#salvages.filter((salvage) => salvage !== source);
    this.#peers = this.#peers.filter((peer) => peer !== source);
  }

  async #fromPeer(peer: Peer, range: ByteRange, signal: AbortSignal): Promise<OpenedRange | undefined> {
    const { peers, clock } = this.#parts;
    const { member } = peer;
    const opened = await peers.open(member, { kind: "kept", ...this.#key }, range, "waited", signal);
    if (opened === undefined) throw new RangeError(`${member.node} has it no more.`);
    const watching = watched(opened.body, clock, async (silentMs) => silentMs < SILENT_MS);
    const body = noted(watching, this.#parts, "peer", () => this.#without(peer));
    return { ...opened, body, rangeBlind: false, dismiss: () => drop(opened.body) };
  }
}

/** Of the last holder, and of those before it that did not finish either. */
async function salvagesOf(
  { digest }: PartialKey,
  size: number,
  left: Left,
  parts: TransferParts,
): Promise<readonly Salvage[]> {
  const before = await orNone(Salvage.before(digest, size, parts.bucket), parts);
  const last = await orNone(Salvage.of(digest, size, left, parts.bucket), parts);
  return [...(last === undefined ? [] : [last]), ...(before ?? [])];
}

async function peersWith(
  key: PartialKey,
  size: number,
  { fleet, peers }: TransferParts,
): Promise<readonly Peer[]> {
  const members = (await fleet.members()).filter(({ node, isLive }) => isLive && node !== fleet.node);
  const maps = await Promise.all(
    members.map(async (member) => ({ member, map: await peers.map(member, key) })),
  );
  return maps.flatMap(({ member, map }) =>
    map?.size === size && map.present.total > 0 ? [{ member, map }] : [],
  );
}

async function orNone<T>(
  work: Promise<T | undefined> | undefined,
  { log }: TransferParts,
): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    log.debug({ reason: messageOf(error) }, "what another node left of a blob cannot be had");
    return undefined;
  }
}
