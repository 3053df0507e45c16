/** Owns `granary model manifest`: the manifest of a model, byte for byte. */
import { Command } from "commander";
import { modelManifest } from "../../library/models.ts";
import { formatReference } from "../../oci/reference.ts";
import { asVerb } from "../as-verb.ts";
import type { CommonFlags } from "../common-options.ts";
import { runVerb } from "../run-verb.ts";
import { MODEL_ARGUMENT } from "./model-argument.ts";

export function modelManifestCommand(): Command {
  const command = new Command("manifest")
    .description(
      "Print a model's manifest byte for byte; --json prints digest, total size, config and layers with their roles.",
    )
    .argument(...MODEL_ARGUMENT)
    .action((name: string, flags: CommonFlags) =>
      runVerb(flags, async (options) => {
        const { reference, manifest, ...view } = await modelManifest(name, options);
        const json = { reference: formatReference(reference), digest: manifest.digest, ...view };
        return { json, value: manifest.bytes };
      }),
    );
  return asVerb(command, "granary model manifest gemma:2b", "granary model manifest gemma:2b --json");
}
