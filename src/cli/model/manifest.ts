/** Owns `granary model manifest`: the manifest of a model, byte for byte. */
import { Command } from "commander";
import { formatReference } from "../../oci/reference.ts";
import { type CommonFlags, MODEL_ARGUMENT } from "../common-options.ts";
import { asVerb } from "../help.ts";
import { runVerb } from "../run-verb.ts";

export function modelManifestCommand(): Command {
  const command = new Command("manifest")
    .description(
      "Print a model's manifest byte for byte; --json prints digest, total size, config and layers with their roles.",
    )
    .argument(...MODEL_ARGUMENT)
    .action((name: string, _: CommonFlags, command: Command) =>
      runVerb(command, { doing: `asking for the manifest of ${name}` }, async (options) => {
        const { modelManifest } = await import("../../library/models.ts");
        const { reference, manifest, ...view } = await modelManifest(name, options);
        const json = { reference: formatReference(reference), digest: manifest.digest, ...view };
        return { json, value: manifest.bytes };
      }),
    );
  return asVerb(
    command,
    ["registry"],
    "granary model manifest gemma:2b",
    "granary model manifest gemma:2b --json",
  );
}
