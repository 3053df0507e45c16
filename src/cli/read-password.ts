/** Owns the reading of a password: one line of standard input, never from a terminal, where it would be shown. */
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { GranaryError } from "../errors.ts";

/** The first line of `input`, without its end. Throws `config-invalid` when there is none. */
export async function readPassword(input: Readable & { readonly isTTY?: boolean }): Promise<string> {
  if (input.isTTY === true) throw noPassword("is a terminal, which would show it");
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const line of lines) {
      if (line === "") break;
      return line;
    }
  } finally {
    lines.close();
    input.destroy(); // Whoever feeds us may keep the pipe open: it must not keep the process.
  }
  throw noPassword("has no first line");
}

function noPassword(reason: string): GranaryError {
  const example = "granary ... --username NAME --password-stdin < FILE";
  return new GranaryError(
    "config-invalid",
    `Standard input ${reason}: hand the password in as in \`${example}\`.`,
  );
}
