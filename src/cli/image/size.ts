/** Owns `granary image size`: how much an image weighs. */
import { Command } from "commander";
import type { OpenedImage } from "../../library/open-image.ts";
import { formatPlatform, isStated } from "../../oci/platform.ts";
import { type CommonFlags, IMAGE_ARGUMENT } from "../common-options.ts";
import { sizeWords } from "../facts.ts";
import { asVerb } from "../help.ts";
import type { VerbAnswer } from "../output.ts";
import { runVerb } from "../run-verb.ts";

type SizeFlags = CommonFlags & { readonly uncompressed?: boolean };

export function imageSizeCommand(): Command {
  const command = new Command("size")
    .description(
      "Print the size of an image's layers as they are stored and sent: a number of bytes, on a terminal with more words.",
    )
    .argument(...IMAGE_ARGUMENT)
    .option("--uncompressed", "print their size unpacked: fetches every layer, and keeps none")
    .action((reference: string, flags: SizeFlags, command: Command) =>
      runVerb(command, { doing: `measuring ${reference}` }, async (options) => {
        const { openImage } = await import("../../library/open-image.ts");
        const { imageSize, uncompressedImageSize } = await import("../../library/images.ts");
        const image = await openImage(reference, options);
        try {
          const compressed = await imageSize(image);
          if (flags.uncompressed !== true) return answerOf(image, { compressed }, compressed);
          const uncompressed = await uncompressedImageSize(image, options);
          return answerOf(image, { compressed, uncompressed }, uncompressed);
        } finally {
          await image.close();
        }
      }),
    );
  return asVerb(
    command,
    ["platform", "registry", "quiet"],
    "granary image size alpine",
    "granary image size alpine --platform linux/arm64 --uncompressed --json",
  );
}

type Sizes = { readonly compressed: number; readonly uncompressed?: number };

function answerOf({ manifest, config, warning }: OpenedImage, sizes: Sizes, value: number): VerbAnswer {
  const { digest } = manifest;
  const platform = isStated(config.platform) ? formatPlatform(config.platform) : undefined;
  return {
    json: { digest, ...(platform !== undefined && { platform }), ...sizes },
    value: String(value),
    facts: () => [
      ["Size", sizeWords(sizes.compressed)],
      ["Unpacked", sizes.uncompressed === undefined ? undefined : sizeWords(sizes.uncompressed)],
      ["Platform", platform],
      ["Digest", digest],
    ],
    ...(warning !== undefined && { warnings: [warning] }),
  };
}
