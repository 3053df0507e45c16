/** Owns `granary image inspect`: what is known of an image without fetching a layer. */
import { Command } from "commander";
import type { InspectedImage } from "../../client/images/inspect-image.ts";
import { type CommonFlags, IMAGE_ARGUMENT } from "../common-options.ts";
import { type Fact, layerLines, sizeWords, valueLines } from "../facts.ts";
import { asVerb } from "../help.ts";
import { formatJson } from "../output.ts";
import { runVerb } from "../run-verb.ts";

export function imageInspectCommand(): Command {
  const command = new Command("inspect")
    .description(
      "Print what is known of an image without its layers: as lines on a terminal, else as JSON; --json puts it on one line.",
    )
    .argument(...IMAGE_ARGUMENT)
    .action((reference: string, _: CommonFlags, command: Command) =>
      runVerb(command, { doing: `inspecting ${reference}` }, async (options) => {
        const { inspectImage } = await import("../../library/images.ts");
        const json = await inspectImage(reference, options);
        return { json, value: formatJson(json), facts: (columns) => factsOf(json, columns) };
      }),
    );
  return asVerb(
    command,
    ["platform", "registry"],
    "granary image inspect alpine",
    "granary image inspect ocifile:alpine.tar --json",
  );
}

/** The media types are for scripts. */
function factsOf(image: InspectedImage, columns: number): Fact[] {
  const { reference, digest, artifactType, index, platform, created, author, size, config, layers } = image;
  return [
    ["Reference", reference],
    ["Digest", digest],
    ["Type", artifactType],
    ["Platform", platform],
    ["Index", index?.digest],
    ["Offers", index?.platforms.join(", ")],
    ["Created", created],
    ["Author", author],
    ["Size", sizeWords(size)],
    ["Layers", layerLines(layers, columns)],
    ...Object.entries(config).map(([name, value]): Fact => [name, valueLines(value)]),
    ["Annotations", valueLines(image.annotations)],
  ];
}
