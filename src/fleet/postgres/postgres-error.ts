/**
 * Owns what failures of PostgreSQL and of the way to it mean: the database is away, it refuses, or these values are at fault. No message holds
 * an address with its login, nor the name of a user.
 */
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";

/** What the server says of a failure (https://www.postgresql.org/docs/current/errcodes-appendix.html); five characters. */
type SqlState = string;

/** Data, constraints, and rows that are too large for an index: the same values would fail again. */
const ROWS_OWN_FAULT = /^(22|23|54)/;

/** A deadlock, or a transaction that did not fit to another: it can be run again. */
const RUN_AGAIN = /^(40001|40P01)$/;

/**
 * The server cannot be used by anybody now: lost connections, refused logins, no such database, too many connections, a shutdown, a
 * server that only reads. Missing tables are those of a database that was made anew: they are made when it is reached again.
 */
const AWAY = /^(08|28|3D000|42P01|533|57P|58|25006)/;

/** In words of our own where the server's name the user. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^28/, "it refuses the login"],
  [/^53300/, "it has too many connections already"],
  [/^57014/, "it gave up a query that took too long"],
  [/^57P0[12]/, "it is shutting down"],
  [/^57P03/, "it is starting"],
  [/^25006/, "it only answers questions and takes no changes, as a standby does"],
  [/^42501/, "its user may not do this there (it needs to create and change tables)"],
];

/** A GranaryError for anything that the driver threw; `host` is what the message calls the server. */
export function databaseError(error: unknown, host: string): GranaryError {
  if (isGranaryError(error)) return error;
  const state = sqlStateOf(error);
  if (state !== undefined && ROWS_OWN_FAULT.test(state)) {
    const text = `The fleet's database refuses a row: ${messageOf(error)} (${state}).`;
    return new GranaryError("store-damaged", text, { host, cause: error });
  }
  const isReached = state !== undefined && !AWAY.test(state);
  return awayError(host, wordsOf(error, state), { isUnreachable: !isReached, cause: causeOf(error, state) });
}

/** The database at `host` cannot be used; `why` is a clause without a full stop. */
export function awayError(
  host: string,
  why: string,
  { isUnreachable = true, cause }: { readonly isUnreachable?: boolean; readonly cause?: unknown } = {},
): GranaryError {
  const text = `the fleet's database at ${host} cannot be used: ${why}`;
  return new GranaryError("fleet-unavailable", `T${text.slice(1)}.`, {
    host,
    reason: text,
    isUnreachable,
    cause,
  });
}

/** True when the server could not be reached, or cannot be used by anybody: then the next query would fare no better. */
export function isAway(error: unknown): error is GranaryError {
  return isGranaryError(error, "fleet-unavailable") && error.facts.isUnreachable === true;
}

/** True when the same transaction may succeed if it is run again at once. */
export function canRunAgain(error: unknown): boolean {
  return isGranaryError(error, "fleet-unavailable") && RUN_AGAIN.test(sqlStateOf(error.cause) ?? "");
}

/** What the server called the failure; undefined when it was not the server that said it. */
function sqlStateOf(error: unknown): SqlState | undefined {
  if (!(error instanceof Error) || error.name !== "PostgresError" || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function wordsOf(error: unknown, state: SqlState | undefined): string {
  const known = WORDS.find(([pattern]) => state !== undefined && pattern.test(state));
  if (known !== undefined) return known[1];
  const text = messageOf(error instanceof AggregateError ? error.errors[0] : error);
  if (state !== undefined) return `${text} (${state})`;
  if (text.includes("CONNECT_TIMEOUT")) return "it takes no connections";
  return /\bCONNECTION_[A-Z]+\b/.test(text) ? "the connection to it was lost" : text || "it does not answer";
}

/** The server's own text of a refused login or of too many connections names the user. */
function causeOf(error: unknown, state: SqlState | undefined): unknown {
  return state !== undefined && /^(28|53300)/.test(state) ? undefined : error;
}
