/** Owns the command `granary ca install`: its options and its help. What it does is install-authority.ts, which is loaded when it runs. */
import { Command, Option } from "commander";
import { TRUST_SYSTEMS } from "../../setup/trust/trust-plan.ts";
import { asAdminVerb } from "../admin/admin-options.ts";
import type { InstallFlags } from "./install-authority.ts";

const TELLS = `
debian (Ubuntu and Alpine too), redhat (Fedora, RHEL and theirs) and macos are the list of the whole machine; docker and containerd trust it for
single registries. Some programs have a list of their own and look at none of these: Firefox, Java, and Python's requests.
Over plain http somebody between could send another certificate: compare the fingerprint with that of granary ca show on the server.`;

export function caInstallCommand(): Command {
  const command = new Command("install")
    .description(
      "Make this machine trust the proxy's authority: put its certificate where the system looks, and have that taken in.",
    )
    .addOption(
      new Option("--system <name>", "what is to trust it (default: the list of this machine)").choices(
        TRUST_SYSTEMS,
      ),
    )
    .option(
      "--registry <host...>",
      "with docker and containerd: only for these registries (default: all hosts that the certificate is for)",
    )
    .option("--file <path>", "a PEM file with the certificate, in place of asking a Granary for it")
    .option(
      "--root <directory>",
      "the system whose files lie there, such as an image that is being built; nothing is run then",
    )
    .option("--undo", "take back what an earlier install did")
    .action(async (flags: InstallFlags) => {
      const { install } = await import("./install-authority.ts");
      await install(flags, command);
    });
  return asAdminVerb(
    command,
    ["change"],
    "sudo granary ca install --server http://192.168.1.10:5080",
    "sudo granary ca install --system docker --file granary-ca.crt",
    "granary ca install --dry-run",
    "sudo granary ca install --undo",
  ).addHelpText("after", TELLS);
}
