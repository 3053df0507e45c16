/**
 * Owns the Journal over the table `changes`. It starts no timer: whoever has one calls `read`. Numbers are given before a transaction ends, so a
 * row may be seen after one with a higher number; the newest rows are therefore looked at again for a while, and what was heard is remembered.
 */
import { GranaryError } from "../../errors.ts";
import type { Journal, News } from "../journal.ts";
import type { FleetDatabase } from "./fleet-database.ts";

/** This process among the nodes; a restart has another incarnation. */
export type Teller = { readonly node: string; readonly incarnation: string };

type Row = { readonly seq: number; readonly node: string; readonly kind: string; readonly body: unknown };

/** Where the journal is. */
type State = {
  /** Of this database: another one has another. */
  readonly identity: string;
  /** The last number that was given. */
  readonly last: number;
  /** Nothing new can appear at or below this number. */
  readonly settled: number;
  /** Epoch ms, by the database's clock: ours may have stood still with the machine. */
  readonly now: number;
};

/** For how long news is kept for nodes that are cut off, ms. */
const KEPT_MS = 600_000;
/** No transaction is open for as long as this, ms (transaction.ts): what it told would not be heard. */
const WINDOW_MS = 60_000;
const PAGE = 500;
const MOST_BODY_BYTES = 64 * 1024;

export class PostgresJournal implements Journal {
  readonly #database: FleetDatabase;
  readonly #me: Teller;
  readonly #listeners = new Set<(news: News, node: string) => void>();
  readonly #gapListeners = new Set<() => void>();
  /** As it was read last; undefined until the first read. */
  #state: State | undefined;
  /** Numbers after the settled ones that were heard, or are from before this process. */
  #heard = new Set<number>();
  #reading: Promise<void> | undefined;

  constructor(database: FleetDatabase, me: Teller) {
    this.#database = database;
    this.#me = me;
  }

  async tell({ kind, body }: News): Promise<void> {
    const text = JSON.stringify(body ?? null);
    if (Buffer.byteLength(text) > MOST_BODY_BYTES) throw tooLarge(kind);
    await this.#database.query(
      "insert into changes (node, incarnation, kind, body) values ($1, $2, $3, $4::jsonb)",
      [this.#me.node, this.#me.incarnation, kind, text],
    );
  }

  onNews(listener: (news: News, node: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onGap(listener: () => void): () => void {
    this.#gapListeners.add(listener);
    return () => this.#gapListeners.delete(listener);
  }

  /**
   * Hears what came since the last time: to be called about once a second. The first time only finds out where the journal is. Throws
   * `fleet-unavailable`.
   */
  read(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Deletes what nobody has to hear any more. Throws `fleet-unavailable`. */
  async prune(): Promise<void> {
    await this.#database.query(`delete from changes where at < ${before(KEPT_MS)}`);
  }

  async #read(): Promise<void> {
    const known = this.#state;
    const state = await this.#stateNow();
    if (known === undefined || isGap(known, state)) {
      await this.#beginAt(state);
      if (known !== undefined) for (const listener of this.#gapListeners) listener();
      return;
    }
    while (await this.#hearSome(known.settled));
    // Only now: what fails to be read is read the next time.
    this.#state = state;
    for (const seq of this.#heard) if (seq <= state.settled) this.#heard.delete(seq);
  }

  /** Everything that is there now counts as heard; what was told before and is not there yet will be heard. */
  async #beginAt(state: State): Promise<void> {
    const rows = await this.#database.query<{ seq: number }>("select seq from changes where seq > $1", [
      state.settled,
    ]);
    this.#heard = new Set(rows.map(({ seq }) => seq));
    this.#state = state;
  }

  /** False when there is no more. */
  async #hearSome(after: number): Promise<boolean> {
    const rows = await this.#database.query<Row>(
      `select seq, node, kind, body from changes
       where seq > $1 and seq <> all($2::bigint[]) and (node, incarnation) is distinct from ($3, $4)
       order by seq limit ${PAGE}`,
      [after, [...this.#heard], this.#me.node, this.#me.incarnation],
    );
    for (const { seq, node, kind, body } of rows) {
      this.#heard.add(seq);
      for (const listener of this.#listeners) listener({ kind, body }, node);
    }
    return rows.length === PAGE;
  }

  async #stateNow(): Promise<State> {
    const [state] = await this.#database.query<State>(
      `select (select identity from granary_version) as identity,
         (select last_value from changes_seq_seq) as last,
         (select coalesce(max(seq), 0) from changes where at < ${before(WINDOW_MS)}) as settled,
         floor(extract(epoch from clock_timestamp()) * 1000) as now`,
    );
    if (state === undefined) throw new GranaryError("fleet-unavailable", "The journal could not be read.");
    // Rows that were settled once may have been deleted since.
    const settled = Math.max(state.settled, this.#state?.settled ?? 0);
    return { ...state, settled: this.#state?.identity === state.identity ? settled : state.settled };
  }
}

/** Another database, one that was brought back from a copy, or news that nobody kept for us. */
function isGap(known: State, state: State): boolean {
  const isOther = known.identity !== state.identity || state.last < known.last;
  return isOther || state.now - known.now > KEPT_MS - WINDOW_MS;
}

function before(ms: number): string {
  return `clock_timestamp() - ${ms} * interval '1 millisecond'`;
}

function tooLarge(kind: string): GranaryError {
  const text = `News of the kind ${kind} is larger than ${MOST_BODY_BYTES} bytes and was not told.`;
  return new GranaryError("store-damaged", text);
}
