/**
 * Owns the FleetDatabase over lines: each question goes on a line of its own, while the database answers, and what fails is told to Answering.
 * It knows no package and no table.
 */
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import { Answering } from "./answering.ts";
import type { FleetDatabase, FleetQuery } from "./fleet-database.ts";
import type { Dial } from "./line.ts";
import { closedError, Lines, type LineWork } from "./lines.ts";
import { canRunAgain } from "./postgres-error.ts";
import { inTransaction } from "./transaction.ts";

/** What makes a database ready whenever it was reached again. */
export type Prepare = {
  /** What messages call the server. */
  readonly host: string;
  readonly query: FleetQuery;
  /** A transaction that may take a minute: others may do the same work at the same time. */
  inLongTransaction<T>(work: LineWork<T>): Promise<T>;
};

export type OpenedOptions = {
  readonly dial: Dial;
  readonly host: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Connections at once. */
  readonly most: number;
  /** For a connection and for an answer, each; milliseconds. */
  readonly patienceMs: number;
  /** Asked whenever the database was reached again: throws where it cannot be used. */
  readonly prepare: (ready: Prepare) => Promise<void>;
};

const LONG_MS = 60_000;
/** How often a transaction is run that loses against others. */
const RUNS = 5;

export class OpenedDatabase implements FleetDatabase {
  readonly #lines: Lines;
  readonly #answering: Answering;
  readonly #patienceMs: number;
  #isClosed = false;

  constructor({ prepare, log, ...options }: OpenedOptions) {
    this.#patienceMs = options.patienceMs;
    this.#lines = new Lines({
      ...options,
      onAway: (error) => {
        this.#answering.failed(error);
        this.#lines.dropIdle(error);
      },
    });
    const { host, patienceMs } = options;
    const attempt = () =>
      this.#lines.lend((asking) =>
        prepare({
          host,
          query: asking(patienceMs),
          inLongTransaction: (work) => inTransaction(asking(LONG_MS), work, LONG_MS),
        }),
      );
    this.#answering = new Answering({ ...options, log, attempt });
  }

  /** Looks whether it can be used. Never rejects: what is wrong is returned. */
  async start() {
    await this.#answering.tryAgain();
    return this.#answering.lastError;
  }

  get isAnswering(): boolean {
    return this.#answering.isAnswering;
  }

  onAnswering(listener: (isAnswering: boolean) => void): () => void {
    return this.#answering.onChange(listener);
  }

  readonly query: FleetQuery = async (text, values) => {
    this.#expectAnswers();
    return await this.#lines.use((query) => query(text, values));
  };

  async inTransaction<T>(work: (query: FleetQuery) => Promise<T>): Promise<T> {
    for (let run = 1; ; run++) {
      this.#expectAnswers();
      try {
        return await this.#lines.use((query) => inTransaction(query, work, this.#patienceMs));
      } catch (error) {
        if (run === RUNS || !canRunAgain(error)) throw error;
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#lines.close();
  }

  #expectAnswers(): void {
    if (this.#isClosed) throw closedError();
    this.#answering.expect();
  }
}
