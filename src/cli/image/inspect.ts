/** Owns `granary image inspect`: what is known of an image without fetching a layer. */
import { Command } from "commander";
import { inspectImage } from "../../library/images.ts";
import { type CommonFlags, IMAGE_ARGUMENT } from "../common-options.ts";
import { asVerb } from "../help.ts";
import { formatJson } from "../output.ts";
import { runVerb } from "../run-verb.ts";

export function imageInspectCommand(): Command {
  const command = new Command("inspect")
    .description("Print what is known of an image without its layers, as JSON; --json puts it on one line.")
    .argument(...IMAGE_ARGUMENT)
    .action((reference: string, _: CommonFlags, command: Command) =>
      runVerb(command, { doing: `inspecting ${reference}` }, async (options) => {
        const json = await inspectImage(reference, options);
        return { json, value: formatJson(json) };
      }),
    );
  return asVerb(
    command,
    ["platform", "registry"],
    "granary image inspect alpine",
    "granary image inspect ocifile:alpine.tar --json",
  );
}
