/** Owns one lease that this process has: its end, and what is written in its name. It never revives: once lost, it is lost. */
import { GranaryError } from "../../errors.ts";
import type { Lease, StoredObject, Upload } from "../fleet.ts";
import type { GivenLease, LeaseName, LeaseRows, NodeProcess } from "./lease-rows.ts";

/** What a lease needs of its node. */
type LeaseOwner = {
  readonly rows: LeaseRows;
  readonly process: NodeProcess;
  /** Whether anything that this node holds is still its own. Ends all leases when not. */
  isLive(): boolean;
  /** The lease is over. `isDoubtful`: perhaps not at the database. */
  ended(lease: OwnLease, isDoubtful: boolean): void;
};

export class OwnLease implements Lease {
  readonly key: string;
  readonly epoch: Lease["epoch"];
  readonly left: Lease["left"];
  readonly #owner: LeaseOwner;
  readonly #lost = new AbortController();

  constructor(key: string, given: GivenLease, owner: LeaseOwner) {
    this.key = key;
    this.epoch = given.epoch;
    this.left = given.left;
    this.#owner = owner;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get isMine(): boolean {
    return this.#owner.isLive() && !this.#lost.signal.aborted;
  }

  async noteUpload(upload: Upload): Promise<void> {
    if (this.isMine && (await this.#owner.rows.noteUpload(this.#name, upload)) && this.isMine) return;
    this.lose("somebody else has it, or its time was over");
    throw new GranaryError(
      "closed",
      `The lease ${this.epoch} is lost, so that nothing is uploaded under it.`,
    );
  }

  /** Asked even when it is lost: an earlier question may have been done without its answer, and then the object is known. */
  async commit(object: Omit<StoredObject, "epoch">): Promise<boolean> {
    const isKnown = await this.#owner.rows.commit(this.#name, object);
    this.lose("its work is done");
    return isKnown;
  }

  release(): Promise<void> {
    return this.#end("it was released", () => this.#owner.rows.release(this.#name));
  }

  park(): Promise<void> {
    return this.#end("it was parked", () => this.#owner.rows.park(this.#name));
  }

  async #end(why: string, statement: () => Promise<void>): Promise<void> {
    if (this.#lost.signal.aborted) return;
    this.#abort(why);
    const isDone = await statement().then(
      () => true,
      () => false, // The next heartbeat clears it away.
    );
    this.#owner.ended(this, !isDone);
  }

  /** It is not this process's any more. `why` is a clause. */
  lose(why: string): void {
    this.#abort(why);
    this.#owner.ended(this, false);
  }

  #abort(why: string): void {
    if (this.#lost.signal.aborted) return;
    this.#lost.abort(new GranaryError("closed", `The lease ${this.epoch} has ended, because ${why}.`));
  }

  get #name(): LeaseName {
    return { ...this.#owner.process, key: this.key, epoch: this.epoch };
  }
}
