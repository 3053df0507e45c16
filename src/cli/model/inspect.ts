/** Owns `granary model inspect`: what is known of a model without its weights. */
import { Command } from "commander";
import type { ModelInspection } from "../../client/models/inspect-model.ts";
import { type CommonFlags, MODEL_ARGUMENT } from "../common-options.ts";
import { type Fact, layerLines, sizeWords, valueLines } from "../facts.ts";
import { asVerb } from "../help.ts";
import { formatJson } from "../output.ts";
import { runVerb } from "../run-verb.ts";

export function modelInspectCommand(): Command {
  const command = new Command("inspect")
    .description(
      "Print what is known of a model without its weights: as lines on a terminal, else as JSON; --json puts it on one line.",
    )
    .argument(...MODEL_ARGUMENT)
    .action((name: string, _: CommonFlags, command: Command) =>
      runVerb(command, { doing: `inspecting ${name}` }, async (options) => {
        const { inspectModel } = await import("../../library/models.ts");
        const json = await inspectModel(name, options);
        return { json, value: formatJson(json), facts: (columns) => factsOf(json, columns) };
      }),
    );
  return asVerb(command, ["registry"], "granary model inspect gemma:2b");
}

/** The media types are for scripts, and so is what the config has in lists of digests. */
function factsOf(
  { reference, digest, size, config = {}, layers, texts }: ModelInspection,
  columns: number,
): Fact[] {
  const { rootfs: _, ...told } = config;
  return [
    ["Model", reference],
    ["Digest", digest],
    ["Size", sizeWords(size)],
    ["Layers", layerLines(layers, columns)],
    ...Object.entries(told).map(([name, value]): Fact => [name, valueLines(value)]),
    ...Object.entries(texts).map(([role, text]): Fact => [role, valueLines(text)]),
  ];
}
