/**
 * Owns what the database of a fleet would hold, in memory: nodes, leases, objects, pauses. Each method is one statement: whole, or not at all. It
 * measures time by the clock that it is given, which is the database's.
 */
import type { Epoch, Member, StoredObject, Upload } from "../../src/fleet/fleet.ts";
import type {
  Beat,
  GivenLease,
  HeardBeat,
  HolderRow,
  LeaseName,
  NodeProcess,
} from "../../src/fleet/leases/lease-rows.ts";
import type { Digest } from "../../src/oci/digest.ts";

const TOUCH_MS = 60_000;

export type NodeRow = Omit<Beat, "lifetimeMs" | "isRenewal" | "tidying"> & {
  beatenAt: number;
  expiresAt: number;
};
export type LeaseRow = LeaseName & { readonly acquiredAt: number; upload: Upload | undefined };
export type BlobRow = StoredObject & { doomedAt: number | undefined; usedAt: number };

export class MemoryLeaseTable {
  readonly nodes = new Map<string, NodeRow>();
  readonly leases = new Map<string, LeaseRow>();
  readonly blobs = new Map<Digest, BlobRow>();
  readonly #pauses = new Map<string, number>();
  readonly #now: () => number;
  #epoch: Epoch = 0;

  /** `now`: ms since 1970, by the database's clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Dropped and made anew, with all that it knew. */
  empty(): void {
    for (const rows of [this.nodes, this.leases, this.blobs, this.#pauses]) rows.clear();
    this.#epoch = 0;
  }

  beat({ lifetimeMs, isRenewal, tidying, ...node }: Beat): HeardBeat {
    const now = this.#now();
    const before = this.nodes.get(node.node);
    const isLive = before !== undefined && before.expiresAt > now;
    if (tidying !== undefined)
      this.#endLeases(node, ({ epoch }) => epoch <= tidying.upTo && !tidying.keep.includes(epoch));
    const pauses = [...this.#pauses]
      .filter(([, until]) => until > now)
      .map(([upstream, until]) => ({ upstream, forMs: until - now }));
    const heard = { epoch: this.#epoch, pauses };
    if (isLive && before.incarnation !== node.incarnation) return { was: "taken", ...heard };
    if (isRenewal && !isLive) return { was: "gone", ...heard };
    this.nodes.set(node.node, { ...node, beatenAt: now, expiresAt: now + lifetimeMs });
    return { was: isLive ? "live" : "gone", ...heard };
  }

  acquire(key: string, by: NodeProcess): GivenLease | undefined {
    if (!this.isLive(by) || this.holder(key) !== undefined) return undefined;
    const before = this.leases.get(key);
    this.#epoch += 1;
    const { node, incarnation } = by;
    const epoch = this.#epoch;
    this.leases.set(key, { key, node, incarnation, epoch, acquiredAt: this.#now(), upload: undefined });
    const left = before && { node: before.node, epoch: before.epoch, upload: before.upload };
    return { epoch, left };
  }

  holder(key: string): HolderRow | undefined {
    const row = this.leases.get(key);
    return row !== undefined && this.isLive(row) ? this.#holderOf(row) : undefined;
  }

  resolve(digest: Digest, key: string): { object?: StoredObject; holder?: HolderRow } {
    const blob = this.blobs.get(digest);
    if (blob !== undefined) return { object: this.#touched(blob) };
    const holder = this.holder(key);
    return holder === undefined ? {} : { holder };
  }

  noteUpload(lease: LeaseName, upload: Upload): boolean {
    const row = this.#rowOf(lease);
    if (row !== undefined) row.upload = upload;
    return row !== undefined;
  }

  commit(lease: LeaseName, object: Omit<StoredObject, "epoch">): boolean {
    const isHeld = this.#rowOf(lease) !== undefined;
    if (isHeld) this.leases.delete(lease.key);
    const known = this.blobs.get(object.digest);
    if (known !== undefined) {
      if (isHeld) this.#touched(known, 0);
      return known.epoch === lease.epoch;
    }
    if (isHeld)
      this.blobs.set(object.digest, {
        ...object,
        epoch: lease.epoch,
        doomedAt: undefined,
        usedAt: this.#now(),
      });
    return isHeld;
  }

  release(lease: LeaseName): void {
    if (this.#rowOf(lease) !== undefined) this.leases.delete(lease.key);
  }

  park(lease: LeaseName): void {
    const row = this.#rowOf(lease);
    if (row !== undefined) this.leases.set(row.key, { ...row, incarnation: "" });
  }

  leave(by: NodeProcess): void {
    this.#endLeases(by, () => true);
    if (this.nodes.get(by.node)?.incarnation === by.incarnation) this.nodes.delete(by.node);
  }

  members(): Member[] {
    const now = this.#now();
    return [...this.nodes.values()]
      .filter(({ beatenAt }) => beatenAt > now - 3_600_000)
      .toSorted((a, b) => (a.node < b.node ? -1 : 1))
      .map(({ incarnation: _, beatenAt, expiresAt, ...node }) => ({
        ...node,
        isLive: expiresAt > now,
        silentMs: now - beatenAt,
      }));
  }

  heldLeases(limit: number): { key: string; holder: HolderRow; heldMs: number }[] {
    return [...this.leases.values()]
      .filter((row) => this.isLive(row))
      .toSorted((a, b) => a.epoch - b.epoch)
      .slice(0, limit)
      .map((row) => ({
        key: row.key,
        holder: this.#holderOf(row),
        heldMs: this.#now() - row.acquiredAt,
      }));
  }

  forget(object: StoredObject): void {
    if (this.blobs.get(object.digest)?.epoch === object.epoch) this.blobs.delete(object.digest);
  }

  pause(upstream: string, forMs: number): void {
    this.#pauses.set(upstream, Math.max(this.#pauses.get(upstream) ?? 0, this.#now() + forMs));
  }

  raiseEpochs(above: Epoch): void {
    this.#epoch = Math.max(this.#epoch, above, this.#now());
  }

  clearOld(): void {
    const dayAgo = this.#now() - 86_400_000;
    for (const row of this.leases.values())
      if (row.acquiredAt < dayAgo && !this.isLive(row)) this.leases.delete(row.key);
    for (const { node, beatenAt } of this.nodes.values()) if (beatenAt < dayAgo) this.nodes.delete(node);
  }

  /** Its heartbeat has not expired. */
  isLive({ node, incarnation }: NodeProcess): boolean {
    const row = this.nodes.get(node);
    return row !== undefined && row.incarnation === incarnation && row.expiresAt > this.#now();
  }

  #touched(blob: BlobRow, leastMs = TOUCH_MS): StoredObject {
    if (blob.doomedAt !== undefined || blob.usedAt <= this.#now() - leastMs) blob.usedAt = this.#now();
    blob.doomedAt = undefined;
    const { digest, size, objectKey, epoch } = blob;
    return { digest, size, objectKey, epoch };
  }

  #rowOf({ key, epoch }: LeaseName): LeaseRow | undefined {
    const row = this.leases.get(key);
    return row?.epoch === epoch ? row : undefined;
  }

  #holderOf({ node, incarnation, epoch }: LeaseRow): HolderRow {
    return { node, incarnation, epoch, address: this.nodes.get(node)?.address ?? "" };
  }

  #endLeases(by: NodeProcess, isMeant: (row: LeaseRow) => boolean): void {
    for (const row of this.leases.values())
      if (row.node === by.node && row.incarnation === by.incarnation && isMeant(row))
        this.leases.delete(row.key);
  }
}
