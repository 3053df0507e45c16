/**
 * Owns the agreement of disk and Metadata after a start, or after somebody removed files under us: rows for blobs that have none (a lost
 * database, a crash between rename and row), none for blobs that are gone, and neither for a blob whose size is not what its row says.
 * Nothing is hashed: a file without a row is counted as one that nobody has verified, because its name is all that is known of it.
 *
 * A small store is looked through before anybody is served. Of a large one the rest is looked through beside the serving, where nothing
 * wrong can be served meanwhile: what has no row is hashed first, what has another size is set aside when it is opened, what is gone is
 * fetched. A disk that fails here keeps nobody from starting: what could be looked at is put right, and the rest is said.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { Log } from "../../observe/log.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { Spool } from "../../store/partial.ts";
import type { Pins } from "../space/pins.ts";
import type { Space } from "../space/space.ts";
import { type Item, inventory } from "./inventory.ts";
import type { SoundBlobs } from "./sound-blobs.ts";

export type ReconciliationParts = {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly sound: SoundBlobs;
  readonly space: Space;
  readonly pins: Pins;
  readonly log: Log;
  /** Hears of `reconcile`, and when it is over. */
  readonly troubles: Episodes;
};

/** Blobs that are looked at before anybody is served: a few tenths of a second on a slow disk. */
const FIRST = 4_000;
/** Blobs that are put right together. */
const AT_ONCE = 8;

type Run = { isStopped: boolean };

/** What one run has found and put right. */
type Tally = {
  registered: number;
  forgotten: number;
  readonly strangers: string[];
  readonly reasons: string[];
};

export class Reconciliation {
  readonly #parts: ReconciliationParts;
  #run: Run = { isStopped: true };
  #ended: Promise<unknown> = Promise.resolve();

  constructor(parts: ReconciliationParts) {
    this.#parts = parts;
  }

  /**
   * Looks through everything, from the start again where it is at that already. Resolves when a small store was looked through, or the
   * first part of a large one; the rest goes on in the background. Throws only `closed`.
   */
  async begin(): Promise<void> {
    this.#run.isStopped = true;
    const run = { isStopped: false };
    this.#run = run;
    const begun = Promise.withResolvers<void>();
    const running = this.#ended.then(() => this.#reconcile(run, begun.resolve));
    this.#ended = running.then(begun.resolve, begun.reject);
    await begun.promise;
  }

  /** Ends what goes on in the background. Idempotent. */
  async stop(): Promise<void> {
    this.#run.isStopped = true;
    await this.#ended;
  }

  async #reconcile(run: Run, begun: () => void): Promise<void> {
    const tally: Tally = { registered: 0, forgotten: 0, strangers: [], reasons: [] };
    await this.#noting(tally, () => this.#countPartials());
    await this.#noting(tally, () => this.#reconcileBlobs(run, tally, begun));
    if (!run.isStopped) this.#tell(tally);
  }

  /** What is no failure of the disk still ends the start. */
  async #noting({ reasons }: Tally, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isGranaryError(error, "closed")) throw error;
      reasons.push(messageOf(error));
    }
  }

  async #reconcileBlobs(run: Run, tally: Tally, begun: () => void): Promise<void> {
    const { metadata, space } = this.#parts;
    const { blobs: known } = await metadata.sums();
    let looked = 0;
    let counted = () => {};
    try {
      const listening = {
        onStranger: (path: string) => tally.strangers.push(path),
        onFailure: (error: unknown) => tally.reasons.push(messageOf(error)),
      };
      for await (const items of groupsOf(inventory(this.#parts, listening), AT_ONCE)) {
        if (run.isStopped) return;
        await Promise.all(items.map((item) => this.#agree(item, tally)));
        looked += items.length;
        if (looked !== FIRST) continue;
        // Nobody knows how much is stored: a new database was put in the place of a lost one.
        if (known === 0) counted = space.waitForCount();
        begun();
      }
      // The budget was kept without what has been found only now.
      if (looked > FIRST && tally.registered > 0) await space.trim();
    } finally {
      counted();
    }
  }

  async #agree({ digest, row, file }: Item, tally: Tally): Promise<void> {
    if (file === undefined) tally.forgotten += Number(await this.#parts.sound.forgetAbsent(digest));
    else if (row === undefined) await this.#register(file, tally);
    else if (row.size !== file.size)
      await this.#parts.sound.drop(digest, `it has ${file.size} bytes and should have ${row.size}`);
  }

  async #register({ digest, size, changedAt }: NonNullable<Item["file"]>, tally: Tally): Promise<void> {
    const { metadata, blobs, pins } = this.#parts;
    if ((await metadata.blob(digest)) !== undefined || (await blobs.stat(digest)) === undefined) return;
    // A fill brings its own row, and what is being evicted is to have none.
    if (pins.isFilled(digest) || pins.isLeaving(digest)) return;
    await metadata.recordBlob({ digest, size, usedAt: changedAt });
    tally.registered += 1;
  }

  /**
   * What no map claims cannot be resumed, and may lie there in full size after a crash: it goes. What an older Granary left without writing
   * down whose bytes they are can be nobody's.
   */
  async #countPartials(): Promise<void> {
    const { spool, space, log } = this.#parts;
    const { revision } = space;
    const saved = await spool.list();
    const useless = saved.filter(({ present, upstream }) => present === 0 || upstream === undefined);
    space.countPartials(
      saved.filter((partial) => !useless.includes(partial)),
      revision,
    );
    const reasons: string[] = [];
    for (const partial of useless)
      await spool.remove(partial).catch((error: unknown) => reasons.push(messageOf(error)));
    const ownerless = useless.filter(({ upstream }) => upstream === undefined).length;
    if (ownerless > 0)
      log.info(
        { removed: ownerless },
        "partial blobs of an older Granary removed: whose bytes they hold is not known",
      );
    if (reasons[0] !== undefined) throw new Error(reasons[0]);
  }

  #tell({ registered, forgotten, strangers, reasons }: Tally): void {
    const { log, troubles } = this.#parts;
    if (registered > 0 || forgotten > 0)
      log.info(
        { unverified: registered, forgotten },
        "disk and metadata reconciled: what the database did not know is hashed before it is served",
      );
    // Somebody else's: Granary follows no link and opens nothing that bears no digest.
    if (strangers.length > 0)
      log.warn(
        { count: strangers.length, first: strangers[0] },
        "what lies among the blobs and is none is left alone, and counts against no budget",
      );
    const text = `Not all that lies in the store could be looked at (${reasons.join(" ")}): see to the disk, and that granary may read and write there, then restart it.`;
    if (reasons.length === 0) troubles.over("reconcile");
    else troubles.trouble("reconcile", {}, text);
  }
}

async function* groupsOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
