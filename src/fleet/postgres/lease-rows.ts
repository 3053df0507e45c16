/** Owns LeaseRows over PostgreSQL: which statement answers which question, and what its rows mean. What may be done with an answer is not its matter. */
import type { Digest } from "../../oci/digest.ts";
import type { Epoch, Member, StoredObject, Upload } from "../fleet.ts";
import type {
  Beat,
  GivenLease,
  HeardBeat,
  HolderRow,
  LeaseName,
  LeaseRows,
  NodeProcess,
} from "../leases/lease-rows.ts";
import type { FleetDatabase } from "./fleet-database.ts";
import * as sql from "./lease-statements.ts";

/** Further behind than this, epochs are set instead of used up: nobody takes so many while that is done. */
const MANY_EPOCHS = 100_000;

type AcquiredRow = {
  readonly epoch: Epoch;
  readonly leftNode: string | null;
  readonly leftEpoch: Epoch | null;
  readonly leftKey: string | null;
  readonly leftUpload: string | null;
};
type NothingOf<T> = { readonly [K in keyof T]: null };
type ObjectColumns = { readonly size: number; readonly objectKey: string; readonly objectEpoch: Epoch };
type ResolvedRow = (ObjectColumns | NothingOf<ObjectColumns>) & (HolderRow | NothingOf<HolderRow>);

export class PostgresLeaseRows implements LeaseRows {
  readonly #database: FleetDatabase;

  /** `close` closes the database as well: it must be nobody else's. */
  constructor(database: FleetDatabase) {
    this.#database = database;
  }

  get isAnswering(): boolean {
    return this.#database.isAnswering;
  }

  onAnswering(listener: (isAnswering: boolean) => void): () => void {
    return this.#database.onAnswering(listener);
  }

  async beat({
    node,
    incarnation,
    address,
    zone,
    version,
    told,
    lifetimeMs,
    isRenewal,
    tidying,
  }: Beat): Promise<HeardBeat> {
    const values = [
      node,
      incarnation,
      address,
      zone ?? null,
      version,
      JSON.stringify(told),
      lifetimeMs,
      isRenewal,
    ];
    const [heard] =
      tidying === undefined
        ? await this.#database.query<HeardBeat>(sql.BEAT_ALONE, values)
        : await this.#database.query<HeardBeat>(sql.BEAT_AND_TIDY, [...values, tidying.upTo, tidying.keep]);
    if (heard === undefined) throw new TypeError("The statement of a heartbeat gives one row.");
    return heard;
  }

  async acquire(key: string, { node, incarnation }: NodeProcess): Promise<GivenLease | undefined> {
    const [row] = await this.#database.query<AcquiredRow>(sql.ACQUIRE, [key, node, incarnation]);
    return row === undefined ? undefined : { epoch: row.epoch, left: leftOf(row) };
  }

  async holder(key: string): Promise<HolderRow | undefined> {
    const [row] = await this.#database.query<HolderRow>(sql.HOLDER, [key]);
    return row;
  }

  async resolve(digest: Digest, key: string) {
    const [row] = await this.#database.query<ResolvedRow>(sql.RESOLVE, [digest, key]);
    if (row === undefined) return {};
    if (row.objectKey !== null) {
      const { size, objectKey, objectEpoch } = row;
      return { object: { digest, size, objectKey, epoch: objectEpoch } };
    }
    if (row.node === null) return {};
    const { node, incarnation, address, epoch } = row;
    return { holder: { node, incarnation, address, epoch } };
  }

  async noteUpload({ key, epoch }: LeaseName, { objectKey, uploadId }: Upload): Promise<boolean> {
    const values = [key, epoch, objectKey, uploadId ?? null];
    const rows = await this.#database.query<{ epoch: Epoch }>(sql.NOTE_UPLOAD, values);
    return rows.length > 0;
  }

  async commit({ key, epoch }: LeaseName, object: Omit<StoredObject, "epoch">): Promise<boolean> {
    const { digest, size, objectKey } = object;
    const values = [key, epoch, digest, size, objectKey];
    const [row] = await this.#database.query<{ epoch: Epoch }>(sql.COMMIT, values);
    if (row !== undefined) return row.epoch === epoch;
    // Asked by itself: the same question, sent before, may have ended the lease a moment ago, which a single statement would not see.
    const [known] = await this.#database.query<{ epoch: Epoch }>(sql.KNOWN_EPOCH, [digest]);
    return known?.epoch === epoch;
  }

  async release({ key, epoch }: LeaseName): Promise<void> {
    await this.#database.query(sql.RELEASE, [key, epoch]);
  }

  async park({ key, epoch }: LeaseName): Promise<void> {
    await this.#database.query(sql.PARK, [key, epoch]);
  }

  async leave({ node, incarnation }: NodeProcess): Promise<void> {
    await this.#database.query(sql.LEAVE, [node, incarnation]);
  }

  async members(): Promise<readonly Member[]> {
    const rows = await this.#database.query<Omit<Member, "zone"> & { zone: string | null }>(sql.MEMBERS);
    return rows.map((row) => ({ ...row, zone: row.zone ?? undefined }));
  }

  async leases(limit: number) {
    const rows = await this.#database.query<HolderRow & { key: string; heldMs: number }>(sql.LEASES, [limit]);
    return rows.map(({ key, heldMs, ...holder }) => ({ key, heldMs, holder }));
  }

  async forget({ digest, epoch }: StoredObject): Promise<void> {
    await this.#database.query(sql.FORGET, [digest, epoch]);
  }

  async pause(upstream: string, forMs: number): Promise<void> {
    await this.#database.query(sql.PAUSE, [upstream, forMs]);
  }

  async raiseEpochs(above: Epoch): Promise<void> {
    await this.#database.inTransaction(async (query) => {
      await query(sql.LOCK_EPOCHS);
      const [row] = await query<{ behind: number }>(sql.EPOCHS_BEHIND, [above]);
      const behind = row?.behind ?? 0;
      if (behind > 0) await query(behind > MANY_EPOCHS ? sql.SET_EPOCHS : sql.USE_EPOCHS_UP, [behind]);
    });
  }

  async clearOld(): Promise<void> {
    await this.#database.query(sql.CLEAR_OLD);
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

function leftOf({ leftNode, leftEpoch, leftKey, leftUpload }: AcquiredRow): GivenLease["left"] {
  if (leftNode === null || leftEpoch === null) return undefined;
  const upload = leftKey === null ? undefined : { objectKey: leftKey, uploadId: leftUpload ?? undefined };
  return { node: leftNode, epoch: leftEpoch, upload };
}
