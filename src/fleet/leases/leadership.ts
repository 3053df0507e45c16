/**
 * Owns which node of a fleet begins what is to be done once for all of them at its time, such as a warm-up: the one that holds a lease for it. It is
 * looked at with every heartbeat; when its node goes, another one has it within seconds. Without the database there is none.
 */
import { isGranaryError } from "../../errors.ts";
import type { Lease } from "../fleet.ts";
import type { NodeFleet } from "./node-fleet.ts";

const KEY = "schedule";

export class Leadership {
  readonly #fleet: Pick<NodeFleet, "acquire" | "onBeat">;
  readonly #stop: () => void;
  #lease: Lease | undefined;
  #isAsking = false;
  #isClosed = false;

  constructor(fleet: Pick<NodeFleet, "acquire" | "onBeat">) {
    this.#fleet = fleet;
    this.#stop = fleet.onBeat(() => void this.#look());
  }

  /** Whether this node is the one, at this moment. */
  get isMine(): boolean {
    return this.#lease?.isMine === true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stop();
    await this.#lease?.release();
  }

  async #look(): Promise<void> {
    if (this.isMine || this.#isAsking) return;
    this.#isAsking = true;
    try {
      this.#lease = await this.#fleet.acquire(KEY);
      if (this.#isClosed) await this.#lease?.release();
    } catch (error) {
      // It is asked for again with the next heartbeat.
      if (!isGranaryError(error)) throw error;
    } finally {
      this.#isAsking = false;
    }
  }
}
