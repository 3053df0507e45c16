/** Owns `granary model digest`: which content a model's name stands for now. */
import { Command } from "commander";
import { formatReference } from "../../oci/reference.ts";
import { type CommonFlags, MODEL_ARGUMENT } from "../common-options.ts";
import { asVerb } from "../help.ts";
import { runVerb } from "../run-verb.ts";

export function modelDigestCommand(): Command {
  const command = new Command("digest")
    .description("Print the digest of a model's manifest: `ollama list` shows its beginning as the ID.")
    .argument(...MODEL_ARGUMENT)
    .action((name: string, _: CommonFlags, command: Command) =>
      runVerb(command, { doing: `asking for the digest of ${name}` }, async (options) => {
        const { modelManifest } = await import("../../library/models.ts");
        const { reference, manifest } = await modelManifest(name, options);
        const { digest } = manifest;
        return { json: { reference: formatReference(reference), digest }, value: digest };
      }),
    );
  return asVerb(command, ["registry"], "granary model digest gemma:2b");
}
