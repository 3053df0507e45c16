/**
 * Owns the address of a fleet's database: that it is one of PostgreSQL, and can be read. What is wrong is told without showing any of it,
 * because it holds a login.
 */
import { GranaryError } from "../../errors.ts";
import { passwordFrom } from "../files.ts";
import type { NamedFiles } from "../named-files.ts";

type DatabaseFile = {
  readonly database?: string | undefined;
  readonly databaseFile?: string | undefined;
};

const LIKE = "an address such as postgres://granary@db.lab:5432/granary";
const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"];

/** Throws `config-invalid`. */
export async function databaseAddress(
  { database, databaseFile }: DatabaseFile,
  files: NamedFiles,
): Promise<string> {
  const found = await files.password(["fleet.database", database, databaseFile], () =>
    passwordFrom("fleet", { password: database, passwordFile: databaseFile }, "database"),
  );
  if (found === undefined)
    throw invalid(`a fleet needs a PostgreSQL database: give ${LIKE}, or databaseFile`);
  check(found);
  return found;
}

function check(address: string): void {
  const url = parsed(address);
  if (url === undefined)
    throw invalid(`expected ${LIKE}; in a password, %, :, /, ?, # and @ are written as %25, %3A, ...`);
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") throw invalid(`expected ${LIKE}`);
  if (url.hostname === "") throw invalid(`the address names no host: expected ${LIKE}`);
  const mode = url.searchParams.get("sslmode");
  if (mode === null || SSL_MODES.includes(mode)) return;
  throw invalid(`its sslmode is none of ${SSL_MODES.join(", ")}`);
}

/** Several hosts (`db1:5432,db2:5432`), of which one is the primary, are no URL: the first of them stands for all. */
function parsed(address: string): URL | undefined {
  const [, before = "", hosts = "", rest = ""] =
    /^([^:]*:\/\/(?:[^/?#@]*@)?)([^/?#@]*)(.*)$/s.exec(address) ?? [];
  const [first = "", ...others] = hosts.split(",");
  const each = [first, ...others].map((host) => URL.parse(`${before}${host}${rest}`));
  return each.includes(null) ? undefined : (each[0] ?? undefined);
}

function invalid(message: string): GranaryError {
  return new GranaryError("config-invalid", `fleet.database: ${message}.`);
}
