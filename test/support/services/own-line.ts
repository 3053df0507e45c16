/**
 * Owns a line to one server for one node of a test, which can be cut. It runs on a thread of its own: what the test itself does must not make a heartbeat
 * late.
 */
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { type Outage, type Place, SlowLine } from "../slow-line.ts";

type Wish = Outage | "back" | "end";

export class OwnLine {
  readonly #worker: Worker;
  readonly place: Place;

  private constructor(worker: Worker, place: Place) {
    this.#worker = worker;
    this.place = place;
  }

  /** A line to `target` that listens on `host`. To be ended by `end`. */
  static async begin(target: Place, host: string): Promise<OwnLine> {
    const worker = new Worker(new URL(import.meta.url), { workerData: { target, host } });
    const [place] = (await once(worker, "message")) as [Place];
    return new OwnLine(worker, place);
  }

  /** As SlowLine's `away`. */
  away(outage: Outage): Promise<void> {
    return this.#ask(outage);
  }

  back(): Promise<void> {
    return this.#ask("back");
  }

  async end(): Promise<void> {
    await this.#ask("end");
    await this.#worker.terminate();
  }

  async #ask(wish: Wish): Promise<void> {
    const done = once(this.#worker, "message");
    this.#worker.postMessage(wish);
    await done;
  }
}

async function carry({ target, host }: { target: Place; host: string }): Promise<void> {
  const line = new SlowLine();
  const { port } = await line.front(target, { host });
  parentPort?.on("message", async (wish: Wish) => {
    if (wish === "end") await line.close();
    else if (wish === "back") await line.back();
    else await line.away(wish);
    parentPort?.postMessage("done");
  });
  parentPort?.postMessage({ host, port });
}

if (!isMainThread && parentPort !== null && workerData?.target !== undefined) await carry(workerData);
