/** Owns the command `granary setup`: its options and its help. What it does is set-up.ts, which is loaded when it runs. */
import { Argument, Command } from "commander";
import { CLIENT_KINDS, type ClientKind } from "../../setup/client-kinds.ts";
import { withExamples } from "../help.ts";
import type { SetupFlags } from "./set-up.ts";

const EXITS = `
Exit codes: 0 done, or printed; 1 a file could not be written; 2 wrong usage, or a file that cannot be read, which is left as it is.`;

export function setupCommand(): Command {
  const client = new Argument("<client>", "which program on this machine").choices(CLIENT_KINDS);
  const command = new Command("setup")
    .description(
      "Point a client on this machine at a Granary: print what its configuration should be, merged with what is there, or write it.",
    )
    .addArgument(client)
    .option(
      "--proxy",
      "docker only: for all registries and by their plain names, through Granary's proxy, in place of a mirror of Docker Hub",
    )
    .option(
      "--server-address <url>",
      "of the Granary, or with --proxy of its proxy, as the client reaches it (default: the one of the settings, on this machine)",
    )
    .option(
      "--registry <host...>",
      "only for these registries (default: all that the settings reach); Docker has Docker Hub alone",
    )
    .option("--file <path>", "the client's file, where it is not at its usual place")
    .option("--write", "write it, keep a copy of what was there, and say what to restart")
    .option("--undo", "bring back what was there before; what others changed since stays")
    .option("--dry-run", "with --write or --undo: print what would be done, and do nothing")
    .option(
      "--ca-file <file>",
      "for the client to trust: with https, a PEM file with the authority that signed the server's certificate; with --proxy, the proxy's authority (default: the one in the storage directory)",
    )
    .option(
      "--username <name>",
      "where the server's listener asks for a login; the password comes with --password-stdin",
    )
    .option("--password-stdin", "read the password, one line, from standard input")
    .option("-c, --config <file>", "the settings of Granary (default: where serve looks)")
    .option("--json", "print one JSON value on standard output")
    .action(async (kind: ClientKind, flags: SetupFlags) => {
      const { setUp } = await import("./set-up.ts");
      await setUp(kind, flags, command);
    });
  return withExamples(command, [
    "granary setup docker --server-address http://192.168.1.10:5000",
    "sudo granary setup containerd --server-address http://192.168.1.10:5000 --write",
    "sudo granary setup docker --proxy --server-address http://192.168.1.10:3128 --ca-file granary-ca.crt --write",
    "sudo granary setup containerd --undo",
  ]).addHelpText("after", EXITS);
}
