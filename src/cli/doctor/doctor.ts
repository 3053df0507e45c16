/** Owns the command `granary doctor`: its options and its help. What it finds out is diagnose.ts, which is loaded when it runs. */
import { Command, Option } from "commander";
import { CHECKED_KINDS } from "../../setup/client-kinds.ts";
import { withExamples } from "../help.ts";
import type { DoctorFlags } from "./diagnose.ts";

const EXITS = `
It changes nothing; an image that it pulls is taken out of the client again.
Exit codes: 0 all is well; 1 something is wrong; 2 wrong usage.`;

export function doctorCommand(): Command {
  const clients = new Option(
    "--client <client...>",
    "look at these clients (default: those that are on this machine)",
  );
  const command = new Command("doctor")
    .description(
      "Find out whether pulls really go through the cache: settings, disk, clock, upstreams, listeners, each client's configuration, and a pull that is seen arriving.",
    )
    .addOption(clients.choices(CHECKED_KINDS))
    .option(
      "--server-address <url>",
      "a Granary on another machine: only its listener and the clients here are looked at",
    )
    .option(
      "--upstream <name...>",
      "ask these upstreams (default: those of the listeners and of the settings)",
    )
    .option("--file <path>", "with one client: its file, where it is not at its usual place")
    .option("--image <name>", "what is pulled", "docker.io/library/hello-world:latest")
    .option("--no-pull", "pull nothing")
    .option(
      "--ca-file <file>",
      "with an https --server-address: a PEM file with the authority that signed its certificate",
    )
    .option("-c, --config <file>", "the settings of Granary (default: where serve looks)")
    .option("-d, --directory <directory>", "the storage directory; wins over the configuration")
    .option("--json", "print one JSON value on standard output")
    .action(async (flags: DoctorFlags) => {
      const { diagnose } = await import("./diagnose.ts");
      await diagnose(flags, command);
    });
  return withExamples(command, [
    "granary doctor",
    "granary doctor --client docker --server-address http://192.168.1.10:5000",
  ]).addHelpText("after", EXITS);
}
