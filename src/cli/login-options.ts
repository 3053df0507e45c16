/** Owns the login on a command line: a name as an option, and the password on standard input. Nothing here prints a password. */
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { GranaryError } from "../errors.ts";
import type { Credentials } from "../oci/credentials.ts";
import { misused } from "./exit-code.ts";

export type LoginFlags = { readonly username?: string; readonly passwordStdin?: boolean };

/** undefined where no login is given. Throws `config-invalid` for a name without a password, and the other way round. */
export async function readLogin({ username, passwordStdin }: LoginFlags): Promise<Credentials | undefined> {
  if (username === undefined && passwordStdin !== true) return undefined;
  if (username === undefined) throw misused("--password-stdin needs --username as well.");
  if (passwordStdin !== true) {
    throw misused("--username needs --password-stdin as well, with the password on standard input.");
  }
  return { username, password: await readPassword(process.stdin) };
}

/** The first line of `input`, without its end; never from a terminal, which would show it. Throws `config-invalid`. */
async function readPassword(input: Readable & { readonly isTTY?: boolean }): Promise<string> {
  if (input.isTTY === true) throw noPassword("is a terminal, which would show it");
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const line of lines) {
      if (line === "") break;
      return line;
    }
  } finally {
    lines.close();
    input.destroy(); // Who feeds us may keep the pipe open: that must not keep this process.
  }
  throw noPassword("has no first line");
}

function noPassword(reason: string): GranaryError {
  const example = "granary ... --username NAME --password-stdin < FILE";
  return misused(`Standard input ${reason}: hand the password in as in \`${example}\`.`);
}
