/**
 * Owns the package that talks to PostgreSQL, the only file that knows it: one connection at a time, whose socket is ours, so that a server which
 * has fallen silent cannot keep it open. Everything works behind a pooler in transaction mode. The address with its login must never get into a
 * message, a log or the cause of an error.
 */
import { once } from "node:events";
import { Socket } from "node:net";
import type Driver from "postgres";
import { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { FleetDatabase, FleetValue } from "./fleet-database.ts";
import type { Dial, Line } from "./line.ts";
import { migrate } from "./migrations.ts";
import { OpenedDatabase } from "./opened-database.ts";
import { awayError, databaseError, isAway } from "./postgres-error.ts";

export type DatabaseOptions = {
  readonly log: Log;
  readonly clock: Clock;
  /** Connections at once; 4 when left out. */
  readonly mostConnections?: number;
  /** For one answer; 5 s when left out. */
  readonly patienceMs?: number;
};

const MOST_CONNECTIONS = 4;
const PATIENCE_MS = 5_000;
const CONNECT_MS = 3_000;
const END_SECONDS = 1;

/** One of the servers that an address names. */
type Place = { readonly path: string | undefined; readonly host: string; readonly port: number };

/**
 * The database at `address` (`postgres://USER:PASSWORD@HOST:PORT/NAME`; several `HOST:PORT` with commas between them for a server and its
 * standbys, `?sslmode=require` or `verify-full` for an encrypted connection), with its tables made or brought up to date. When it cannot be reached
 * now, what is returned does not answer yet, and that is logged. Throws `config-invalid` for an address that is none, where the package is not
 * installed, and for a database of a newer Granary.
 */
export async function openFleetDatabase(address: string, options: DatabaseOptions): Promise<FleetDatabase> {
  const { log, clock, mostConnections = MOST_CONNECTIONS, patienceMs = PATIENCE_MS } = options;
  const driver = await loadDriver();
  const places = placesOf(driver, address);
  const host = places.map(nameOf).join(" or ");
  const dial = dialling(driver, { address, places, host, clock });
  const database = new OpenedDatabase({
    ...{ dial, host, log, clock, patienceMs },
    most: mostConnections,
    prepare: migrate,
  });
  await started(database, places.length);
  return database;
}

/** Of several servers each is tried, until one can be used. */
async function started(database: OpenedDatabase, tries: number): Promise<void> {
  for (let tried = 0; tried < tries; tried++) {
    const error = await database.start();
    if (error === undefined) return;
    if (error.code !== "config-invalid") continue;
    await database.close();
    throw error;
  }
}

async function loadDriver(): Promise<typeof Driver> {
  try {
    return (await import("postgres")).default;
  } catch (cause) {
    const text =
      "The database of a fleet needs the package postgres, which is not installed: run `npm install postgres` beside granary, or use the container image, which has it.";
    throw new GranaryError("config-invalid", text, { cause, saysWhatToDo: true });
  }
}

/** Without a cause: what a URL parser throws holds the whole address. */
function placesOf(driver: typeof Driver, address: string): Place[] {
  try {
    if (!/^postgres(ql)?:\/\//.test(address)) throw new TypeError("another scheme");
    const { host, port, path } = driver(address, { max: 1 }).options;
    const six = /^\[(.*)\]$/.exec(host.length === 1 ? new URL(address).hostname : "")?.[1];
    if (six !== undefined)
      return [{ path: undefined, host: six, port: Number(new URL(address).port || 5432) }];
    return host.map((name, index) => ({ path: path || undefined, host: name, port: port[index] ?? 5432 }));
  } catch {
    const text =
      "fleet.database is not the address of a PostgreSQL database: write it as postgres://USER:PASSWORD@HOST:PORT/NAME, with %XX for special characters in the password.";
    throw new GranaryError("config-invalid", text, { saysWhatToDo: true });
  }
}

function nameOf({ path, host, port }: Place): string {
  return path ?? `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

type Dialling = {
  readonly address: string;
  readonly places: readonly Place[];
  /** What messages call the server. */
  readonly host: string;
  readonly clock: Clock;
};

function dialling(driver: typeof Driver, { address, places, host, clock }: Dialling): Dial {
  let turn = 0;
  return () => {
    const at = turn;
    const place = places[at % places.length] ?? { path: undefined, host: "localhost", port: 5432 };
    // Of several servers the next one is asked when a line to one was given up.
    const onGivenUp = () => {
      if (turn === at) turn += 1;
    };
    return new DriverLine(driver, { address, place, host, clock, onGivenUp });
  };
}

type LineOptions = Omit<Dialling, "places"> & { readonly place: Place; readonly onGivenUp: () => void };

class DriverLine implements Line {
  readonly #options: LineOptions;
  readonly #sql: Driver.Sql<{ integer: number; json: string }>;
  #socket: Socket | undefined;
  #isClosed = false;

  constructor(driver: typeof Driver, options: LineOptions) {
    this.#options = options;
    // Not written where it is used: the driver's types do not know `socket`, which it has had for years.
    const settings = {
      ...SETTINGS,
      // One word, whatever the address names: the driver connects nowhere by itself.
      host: "database",
      socket: () => this.#connected(),
      onclose: () => {
        this.#isClosed = true;
      },
    };
    this.#sql = driver(options.address, settings);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  async ask<Row extends object>(text: string, values: readonly FleetValue[]): Promise<Row[]> {
    try {
      return [...(await this.#sql.unsafe<Row[]>(text, values.map(written)))];
    } catch (cause) {
      const error = databaseError(cause, this.#options.host);
      // The driver would try for ever to connect it again.
      if (isAway(error)) this.destroy();
      throw error;
    }
  }

  destroy(): void {
    this.#isClosed = true;
    this.#options.onGivenUp();
    this.#socket?.destroy();
  }

  async end(): Promise<void> {
    await this.#sql.end({ timeout: END_SECONDS });
    this.destroy();
  }

  /** A socket of our own: the driver has no way to give up one whose other side is silent. */
  async #connected(): Promise<Socket> {
    const { place, clock, host } = this.#options;
    if (this.#isClosed) throw awayError(host, "the connection was given up");
    const socket = new Socket();
    this.#socket = socket;
    socket.setNoDelay(true);
    const timer = clock.after(CONNECT_MS, () => socket.destroy(awayError(host, "no connection in 3 s")));
    if (place.path === undefined) socket.connect(place.port, place.host);
    else socket.connect(place.path);
    await once(socket, "connect").finally(() => timer.cancel());
    // The name is what a certificate is checked against.
    return Object.assign(socket, { host: place.host, port: place.port });
  }
}

const SETTINGS = {
  max: 1,
  // Prepared statements belong to one server connection, which a pooler gives to others after each transaction.
  prepare: false,
  fetch_types: false,
  idle_timeout: undefined,
  max_lifetime: null,
  backoff: false,
  keep_alive: 30,
  connect_timeout: CONNECT_MS / 1000,
  onnotice: () => undefined,
  connection: { application_name: "granary" },
  types: {
    /** bigint and numeric: none of ours is beyond what a number holds. */
    integer: { to: 20, from: [20, 1700], serialize: String, parse: Number },
    /** It goes in as its text. */
    json: { to: 114, from: [114, 3802], serialize: (text: string) => text, parse: JSON.parse },
  },
};

/** Arrays as PostgreSQL writes them (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO). */
function written(value: FleetValue): string | number | boolean | null | Uint8Array {
  return Array.isArray(value)
    ? `{${value.map(writtenItem).join(",")}}`
    : (value as Exclude<FleetValue, readonly unknown[]>);
}

function writtenItem(item: string | number | boolean | null): string {
  if (typeof item !== "string") return String(item);
  return `"${item.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
