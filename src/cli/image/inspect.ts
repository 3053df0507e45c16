/** Owns `granary image inspect`: what is known of an image without fetching a layer. */
import { Command } from "commander";
import { inspectImage } from "../../library/images.ts";
import { asVerb } from "../as-verb.ts";
import type { CommonFlags } from "../common-options.ts";
import { formatJson } from "../output.ts";
import { runVerb } from "../run-verb.ts";
import { IMAGE_ARGUMENT } from "./image-argument.ts";

export function imageInspectCommand(): Command {
  const command = new Command("inspect")
    .description("Print what is known of an image without its layers, as JSON; --json puts it on one line.")
    .argument(...IMAGE_ARGUMENT)
    .action((reference: string, flags: CommonFlags) =>
      runVerb(flags, async (options) => {
        const json = await inspectImage(reference, options);
        return { json, value: formatJson(json) };
      }),
    );
  return asVerb(command, "granary image inspect alpine", "granary image inspect ocifile:alpine.tar --json");
}
