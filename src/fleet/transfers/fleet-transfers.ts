/**
 * Owns the transfers of one node in a fleet: which there are, what the fills of this node tell them, and what its internal listener may give out of
 * them. A peer is given bytes of a transfer only while this node holds the lease of that very epoch (G7). It decides nothing about clients.
 */
import type { ByteRange } from "../../bytes/byte-range.ts";
import type { FillFollower, FollowedFill } from "../../fill/fill-ask.ts";
import type { Fills } from "../../fill/fills.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Origin } from "../../origin.ts";
import type { Purpose } from "../../purpose.ts";
import type { BlobReader } from "../../source.ts";
import type { PartialKey } from "../../store/partial.ts";
import type { Epoch } from "../fleet.ts";
import { FleetOrigin } from "./fleet-origin.ts";
import { storedReader } from "./stored-reader.ts";
import { Transfer } from "./transfer.ts";
import type { TransferParts } from "./transfer-parts.ts";

/** What a peer reads. `size` is undefined where nobody knows it. The reader must be closed, and `over` be called then. */
export type PeerReader = {
  readonly size: number | undefined;
  readonly reader: BlobReader;
  readonly over?: () => void;
};

/** Of a peer that asks. */
export type PeerAsk = {
  readonly range: ByteRange | undefined;
  readonly purpose: Purpose;
  readonly node: string;
};

export type KeptMap = {
  readonly size: number;
  readonly ranges: readonly ByteRange[];
  readonly isStored: boolean;
};

export class FleetTransfers implements FillFollower {
  readonly #parts: TransferParts;
  readonly #transfers = new Map<string, Transfer>();
  readonly #ending = new Set<Promise<void>>();
  readonly #unshared: (digest: Digest) => void;
  #fills: Pick<Fills, "find"> | undefined;

  /** `unshared` hears of blobs that are here, and that the fleet does not get from a transfer. */
  constructor(parts: TransferParts, unshared: (digest: Digest) => void) {
    this.#parts = parts;
    this.#unshared = unshared;
  }

  /** The fills of this node, which are made with this as their follower. */
  serve(fills: Pick<Fills, "find">): void {
    this.#fills = fills;
  }

  /** `own`, as the fleet has it. */
  origin(key: PartialKey, own: Origin): Origin {
    // Without a fill that keeps the bytes, each reader is on its own, and nothing is remembered of it here.
    const alone = new Transfer(key, this.#parts);
    return new FleetOrigin(own, () => this.#transfers.get(nameOf(key)) ?? alone, this.#parts);
  }

  /** Transfers that this node brings for all now. */
  get held(): readonly PartialKey[] {
    return [...this.#transfers.values()].flatMap(({ key, lease }) => (lease === undefined ? [] : [key]));
  }

  /** How many run, wherever their bytes come from. */
  get running(): number {
    return [...this.#transfers.values()].filter(({ isOver }) => !isOver).length;
  }

  // --- what fills tell ---------------------------------------------------------------------------------------------

  begun(fill: FollowedFill): void {
    const name = nameOf(fill);
    const known = this.#transfers.get(name);
    const transfer = known === undefined || known.isOver ? new Transfer(plain(fill), this.#parts) : known;
    this.#transfers.set(name, transfer);
    transfer.begun(fill);
  }

  grown(fill: PartialKey): void {
    this.#transfers.get(nameOf(fill))?.grown();
  }

  ended(fill: PartialKey, how: "committed" | "paused" | "stalled" | "rejected"): void {
    const transfer = this.#transfers.get(nameOf(fill));
    if (transfer === undefined || transfer.isOver) return;
    const ending = this.#end(transfer, how).finally(() => {
      this.#ending.delete(ending);
      // Until it is in the bucket, other nodes still read it from here.
      if (this.#transfers.get(nameOf(fill)) === transfer) this.#transfers.delete(nameOf(fill));
    });
    this.#ending.add(ending);
  }

  // --- what peers read ---------------------------------------------------------------------------------------------

  /** undefined unless this node brings the blob under this very epoch. Throws `range-unsatisfiable`. */
  async filling(
    key: PartialKey,
    epoch: Epoch,
    { range, purpose, node }: PeerAsk,
  ): Promise<PeerReader | undefined> {
    const transfer = this.#transfers.get(nameOf(key));
    if (transfer?.lease?.epoch !== epoch) return undefined;
    const fill = this.#fills?.find(key);
    if (fill === undefined) return await this.#stored(key.digest, range);
    fill.want();
    const reader = fill.reader(range, undefined, { purpose, serves: { repository: "", client: node } });
    return { size: fill.size, reader, over: transfer.handOver.followed() };
  }

  /** Bytes that are here for whatever reason, as far as they are here without a gap; undefined where the first of them is not. */
  async kept(key: PartialKey, ask: PeerAsk): Promise<PeerReader | undefined> {
    const { range } = ask;
    const fill = this.#fills?.find(key);
    if (fill === undefined) return await this.#stored(key.digest, range);
    const { size } = fill;
    if (range === undefined || size === undefined || range.end > size || !fill.present.covers(range))
      return undefined;
    return {
      size,
      reader: fill.reader(range, undefined, {
        purpose: ask.purpose,
        serves: { repository: "", client: ask.node },
      }),
    };
  }

  /** Which bytes are here; undefined where none are. */
  async map(key: PartialKey): Promise<KeptMap | undefined> {
    const stored = await this.#parts.blobs.open(key.digest);
    if (stored !== undefined) {
      const { size } = stored;
      await stored.close();
      return { size, ranges: size === 0 ? [] : [{ start: 0, end: size }], isStored: true };
    }
    const fill = this.#fills?.find(key);
    if (fill?.size === undefined) return undefined;
    return { size: fill.size, ranges: fill.present.snapshot(), isStored: false };
  }

  /** Waits for what is on its way to the bucket. */
  async close(): Promise<void> {
    await Promise.all(this.#ending);
  }

  async #stored(digest: Digest, range: ByteRange | undefined): Promise<PeerReader | undefined> {
    const stored = await this.#parts.blobs.open(digest);
    if (stored === undefined) return undefined;
    return { size: stored.size, reader: storedReader(stored, range) };
  }

  async #end(transfer: Transfer, how: "committed" | "paused" | "stalled" | "rejected"): Promise<void> {
    if (how !== "committed") await transfer.ended(how === "rejected");
    else if (!(await transfer.committed())) this.#unshared(transfer.key.digest);
  }
}

function plain({ digest, upstream }: PartialKey): PartialKey {
  return { digest, upstream };
}

function nameOf({ digest, upstream }: PartialKey): string {
  return `${upstream}\n${digest}`;
}
