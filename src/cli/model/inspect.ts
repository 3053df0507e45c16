/** Owns `granary model inspect`: what is known of a model without its weights. */
import { Command } from "commander";
import { inspectModel } from "../../library/models.ts";
import { type CommonFlags, MODEL_ARGUMENT } from "../common-options.ts";
import { asVerb } from "../help.ts";
import { formatJson } from "../output.ts";
import { runVerb } from "../run-verb.ts";

export function modelInspectCommand(): Command {
  const command = new Command("inspect")
    .description("Print what is known of a model without its weights, as JSON; --json puts it on one line.")
    .argument(...MODEL_ARGUMENT)
    .action((name: string, _: CommonFlags, command: Command) =>
      runVerb(command, { doing: `inspecting ${name}` }, async (options) => {
        const json = await inspectModel(name, options);
        return { json, value: formatJson(json) };
      }),
    );
  return asVerb(command, ["registry"], "granary model inspect gemma:2b");
}
