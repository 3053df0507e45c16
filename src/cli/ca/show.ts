/** Owns `granary ca show`: the certificate that the proxy's clients must trust, as a text for files, and what it is for people. */
import { Command } from "commander";
import { type AdminFlags, asAdminVerb } from "../admin/admin-options.ts";
import { formatFacts } from "../facts.ts";
import { printAnswer, tell } from "../output.ts";

/** Standard error may be no terminal: nothing but a list of hosts is longer. */
const COLUMNS = 120;

export function caShowCommand(): Command {
  const command = new Command("show")
    .description(
      "Print the certificate of the proxy's authority on standard output, and on standard error what it is: its fingerprint, its time, and the hosts that it can sign for, which are those of the configured upstreams and no others. It is no secret.",
    )
    .action(run);
  return asAdminVerb(
    command,
    ["quiet"],
    "granary ca show > granary-ca.crt",
    "granary ca show --server http://192.168.1.10:5080 --json",
  );
}

async function run(flags: AdminFlags, command: Command): Promise<void> {
  const [{ findCertificate }, { certificateWords }] = await Promise.all([
    import("./find-certificate.ts"),
    import("./certificate-words.ts"),
  ]);
  const found = await findCertificate(command);
  const facts = formatFacts([["Where", found.place], ...certificateWords(found)], COLUMNS);
  if (flags.json !== true && flags.quiet !== true) for (const line of facts.split("\n")) tell(line);
  printAnswer({ json: found, value: found.certificate.trimEnd() }, flags);
}
