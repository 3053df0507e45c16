/** Owns the command `granary ca rotate`: its options and its help. What it does is rotate-authority.ts, which is loaded when it runs. */
import { Command, Option } from "commander";
import { withExamples } from "../help.ts";
import type { RotateFlags } from "./rotate-authority.ts";

const TELLS = `
It is for a key that somebody may have read, or that is damaged. Stop the server first: it signs with the old key until it ends. Afterwards
every client refuses the proxy until it trusts the new certificate (granary ca install).
Exit codes: 0 done, 1 a server runs there or the disk failed, 2 wrong usage, 3 there is no authority.`;

export function caRotateCommand(): Command {
  const command = new Command("rotate")
    .description("Give the proxy's authority another key: every client must trust its new certificate.")
    .addOption(new Option("--dry-run", "say exactly what would happen, and change nothing"))
    .option(
      "-c, --config <file>",
      "the configuration that says where things are stored, and which upstreams there are",
    )
    .option("-d, --directory <directory>", "the storage directory; wins over the configuration")
    .option("--json", "print one JSON value on standard output")
    .action(async (flags: RotateFlags) => {
      const { rotate } = await import("./rotate-authority.ts");
      await rotate(flags);
    });
  return withExamples(command, [
    "granary ca rotate --dry-run",
    "granary ca rotate --directory /srv/granary",
  ]).addHelpText("after", TELLS);
}
