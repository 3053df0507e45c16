/** Owns the options that all client verbs share: declared once, and turned into what the library takes. */
import type { Command } from "commander";
import { GranaryError } from "../errors.ts";
import type { LibraryOptions } from "../library/library-options.ts";
import type { Credentials } from "../oci/credentials.ts";
import { readPassword } from "./read-password.ts";

export type CommonFlags = {
  readonly platform?: string;
  readonly via?: string;
  readonly insecure?: boolean;
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly config?: string;
  readonly caFile?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** A password has no option of its own: what stands on a command line is seen by everybody on the machine. */
export function withCommonOptions(command: Command): Command {
  return command
    .optionsGroup("Common options:")
    .option(
      "--platform <os/arch[/variant]>",
      "of the image, where there are several (default: linux on this architecture)",
    )
    .option(
      "--via <url>",
      "a Granary, or any registry, to ask in place of the registry that the name implies",
    )
    .option("--insecure", "plain HTTP to the registry that the name implies")
    .option(
      "--ca-file <file>",
      "a PEM file with the certificate authority of a registry (or proxy) that is not publicly known",
    )
    .option("--username <name>", "who logs in; the password comes with --password-stdin")
    .option("--password-stdin", "read the password, one line, from standard input")
    .option(
      "-c, --config <file>",
      "a configuration of Granary: its upstreams and their credentials hold here too",
    )
    .option("--json", "print one JSON value on standard output")
    .option("-q, --quiet", "no progress and no closing sentence on standard error");
}

/** Throws `config-invalid` for a user name without a password, and the other way round. */
export async function libraryOptionsOf(flags: CommonFlags): Promise<LibraryOptions> {
  const { platform, via, insecure, config, caFile } = flags;
  const credentials = await credentialsOf(flags);
  return {
    ...(platform !== undefined && { platform }),
    ...(via !== undefined && { via }),
    ...(insecure !== undefined && { insecure }),
    ...(config !== undefined && { config }),
    ...(caFile !== undefined && { caFile }),
    ...(credentials !== undefined && { credentials }),
  };
}

async function credentialsOf({ username, passwordStdin }: CommonFlags): Promise<Credentials | undefined> {
  if (username === undefined && passwordStdin !== true) return undefined;
  if (username === undefined) throw misused("--password-stdin needs --username as well.");
  if (passwordStdin !== true) {
    throw misused("--username needs --password-stdin as well, with the password on standard input.");
  }
  return { username, password: await readPassword(process.stdin) };
}

/** The error for options that do not go together. */
export function misused(sentence: string): GranaryError {
  return new GranaryError("config-invalid", sentence);
}
