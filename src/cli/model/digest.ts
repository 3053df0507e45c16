/** Owns `granary model digest`: which content a model's name stands for now. */
import { Command } from "commander";
import { modelManifest } from "../../library/models.ts";
import { formatReference } from "../../oci/reference.ts";
import { asVerb } from "../as-verb.ts";
import type { CommonFlags } from "../common-options.ts";
import { runVerb } from "../run-verb.ts";
import { MODEL_ARGUMENT } from "./model-argument.ts";

export function modelDigestCommand(): Command {
  const command = new Command("digest")
    .description("Print the digest of a model's manifest: `ollama list` shows its beginning as the ID.")
    .argument(...MODEL_ARGUMENT)
    .action((name: string, flags: CommonFlags) =>
      runVerb(flags, async (options) => {
        const { reference, manifest } = await modelManifest(name, options);
        const { digest } = manifest;
        return { json: { reference: formatReference(reference), digest }, value: digest };
      }),
    );
  return asVerb(command, "granary model digest gemma:2b");
}
