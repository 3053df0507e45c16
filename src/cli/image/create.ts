/** Owns `granary image create`: an image file of tars. */
import { Command } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import type { CreatedImage } from "../../client/archives/create-image.ts";
import { formatReference } from "../../oci/reference.ts";
import type { CommonFlags } from "../common-options.ts";
import { asVerb } from "../help.ts";
import type { VerbAnswer } from "../output.ts";
import { runVerb } from "../run-verb.ts";

type CreateFlags = CommonFlags & { readonly name: string; readonly output: string };

export function imageCreateCommand(): Command {
  const command = new Command("create")
    .description(
      "Make an image of tars, one layer each, as a file that `docker load` takes, and print its digest.",
    )
    .argument("<tar...>", "the layers, bottom first; plain, gzip or zstd")
    .requiredOption("--name <name>", "what the image is tagged with, such as org/app:1.2")
    .requiredOption("--output <file>", "the file to write; a file that is there is replaced")
    .action((tars: string[], { name, output }: CreateFlags, command: Command) =>
      runVerb(command, { doing: `making ${output}` }, async (options) => {
        const { createImage } = await import("../../library/images.ts");
        return answerOf(await createImage(tars, { ...options, name, output }), output);
      }),
    );
  return asVerb(
    command,
    ["platform", "quiet"],
    "granary image create rootfs.tar --name org/app:1.2 --output app.tar",
    "granary image create base.tar app.tar.gz --name org/app:1.2 --platform linux/arm64 --output app.tar",
  );
}

function answerOf({ reference, ...created }: CreatedImage, output: string): VerbAnswer {
  const name = formatReference(reference);
  return {
    json: { reference: name, ...created, path: output },
    value: created.digest,
    sentence: `${output} is there, with ${name} in it (${formatBytes(created.size)}).`,
  };
}
