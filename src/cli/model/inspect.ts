/** Owns `granary model inspect`: what is known of a model without its weights. */
import { Command } from "commander";
import { inspectModel } from "../../library/models.ts";
import { asVerb } from "../as-verb.ts";
import type { CommonFlags } from "../common-options.ts";
import { formatJson } from "../output.ts";
import { runVerb } from "../run-verb.ts";
import { MODEL_ARGUMENT } from "./model-argument.ts";

export function modelInspectCommand(): Command {
  const command = new Command("inspect")
    .description("Print what is known of a model without its weights, as JSON; --json puts it on one line.")
    .argument(...MODEL_ARGUMENT)
    .action((name: string, flags: CommonFlags) =>
      runVerb(flags, async (options) => {
        const json = await inspectModel(name, options);
        return { json, value: formatJson(json) };
      }),
    );
  return asVerb(command, "granary model inspect gemma:2b");
}
