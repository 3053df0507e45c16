/** Owns the options of every command that asks a Granary: which one is meant, with which token, and how the answer is printed. */
import { type Command, Option } from "commander";
import { USUAL_CONFIG } from "../../config/find-config.ts";
import { withExamples } from "../help.ts";

export type AdminFlags = {
  readonly server?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly config?: string;
  readonly directory?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** What a verb has to do with: changing something, work that takes a while, and a directory that no server uses. */
export type AdminUse = "change" | "quiet" | "alone";

type Shared = { readonly use: AdminUse | "always"; readonly flags: string; readonly help: string };

const OPTIONS: readonly Shared[] = [
  { use: "change", flags: "--dry-run", help: "say exactly what would happen, and change nothing" },
  {
    use: "always",
    flags: "--server <url>",
    help: "the admin face of a Granary, on this machine or another (default: $GRANARY_SERVER)",
  },
  {
    use: "always",
    flags: "--token-file <file>",
    help: "with a server elsewhere: a file that holds its token (default: $GRANARY_TOKEN)",
  },
  {
    use: "always",
    flags: "--ca-file <file>",
    help: "with an https server: a PEM file with the authority that signed its certificate",
  },
  {
    use: "always",
    flags: "-c, --config <file>",
    help: `the configuration that says where things are stored (default: $GRANARY_CONFIG, or ${USUAL_CONFIG} if it is there)`,
  },
  {
    use: "always",
    flags: "-d, --directory <directory>",
    help: "the storage directory; wins over the configuration",
  },
  { use: "always", flags: "--json", help: "print one JSON value on standard output" },
  { use: "quiet", flags: "-q, --quiet", help: "no progress on standard error" },
];

/**
 * Makes `command` one of the verbs that ask a Granary; its own arguments and options stand there already. `examples` are command lines that
 * work as they stand.
 */
export function asAdminVerb(command: Command, uses: readonly AdminUse[], ...examples: string[]): Command {
  command.optionsGroup("Which Granary, and how it answers:");
  for (const { use, flags, help } of OPTIONS) {
    if (use === "always" || uses.includes(use)) command.addOption(new Option(flags, help));
  }
  return withExamples(command, examples).addHelpText("after", `\n${placeOf(uses)}\n${EXITS}`);
}

const EXITS =
  "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not allowed, 5 digest mismatch; 130 after Ctrl-C, 143 after SIGTERM.";

function placeOf(uses: readonly AdminUse[]): string {
  const asked = "It asks the Granary that is named, or else the one that runs in the storage directory";
  const usual =
    "With none of --server, --directory and --config it asks, last of all, the Granary at 127.0.0.1:5080, and says so.";
  return uses.includes("alone")
    ? `${asked}; where none runs, it opens the directory itself.\n${usual}`
    : `${asked}.\n${usual}`;
}
