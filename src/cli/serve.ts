/** Owns the command `granary serve`: its options and its help. What it does is run-server.ts, which is loaded when it runs. */
import { Command, Option } from "commander";
import { USUAL_CONFIG } from "../config/find-config.ts";
import { withExamples } from "./help.ts";
import type { ServeFlags } from "./serve-flags.ts";

const CONFIG_HELP = `YAML file with the settings (config/granary.yaml is an example; default: $GRANARY_CONFIG, or ${USUAL_CONFIG} if it is there)`;

const PORT_HELP =
  "ports of the listeners, in their order (without a configuration: Docker Hub, the Ollama registry); those without one keep theirs; wins over the file";

const ADMIN_HELP =
  "where the admin face listens: a port, an address with a port, or off (default: port 5080 of 127.0.0.1); wins over the file";

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"];

const SIGNALS = `
Signals: SIGTERM, SIGINT and SIGQUIT stop it when transfers in flight have ended (a second one at once); SIGHUP reads the
settings, certificates and password files again.
Exit codes: 0 stopped, or all is in order with --check; 2 the configuration, an option, a port or the directory cannot be used; 1 any
other failure.`;

export function serveCommand(): Command {
  const command = new Command("serve")
    .description(
      "Serve the cache. Without a configuration: Docker Hub on 5000, the Ollama registry on 11435, data in ./data.",
    )
    .option("-c, --config <file>", CONFIG_HELP)
    .option("-d, --directory <directory>", "where blobs and metadata live; wins over the file")
    .option("-p, --port <port[,port...]>", PORT_HELP)
    .option("--host <address>", "the address that all listeners listen on; wins over the file")
    .option("--admin <place>", ADMIN_HELP)
    .addOption(new Option("--log-level <level>", "what is logged; wins over the file").choices(LOG_LEVELS))
    .option("--check", "check the configuration, say what would be served; open and change nothing")
    .option("--json", "with --check: print that as one JSON value on standard output")
    .action(async (flags: ServeFlags) => {
      const { runServer } = await import("./run-server.ts");
      await runServer(flags);
    });
  const examples = [
    "granary serve --port 5001,11436 --directory other",
    "granary serve --config granary.yaml --check",
  ];
  return withExamples(command, examples).addHelpText("after", SIGNALS);
}
