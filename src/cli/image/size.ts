/** Owns `granary image size`: how much an image weighs. */
import { Command } from "commander";
import { imageSize, uncompressedImageSize } from "../../library/images.ts";
import { type OpenedImage, openImage } from "../../library/open-image.ts";
import { formatPlatform, isStated } from "../../oci/platform.ts";
import { type CommonFlags, IMAGE_ARGUMENT } from "../common-options.ts";
import { asVerb } from "../help.ts";
import type { VerbAnswer } from "../output.ts";
import { runVerb } from "../run-verb.ts";

type SizeFlags = CommonFlags & { readonly uncompressed?: boolean };

export function imageSizeCommand(): Command {
  const command = new Command("size")
    .description("Print the size of an image's layers in bytes, as they are stored and sent.")
    .argument(...IMAGE_ARGUMENT)
    .option("--uncompressed", "print their size unpacked: fetches every layer, and keeps none")
    .action((reference: string, flags: SizeFlags, command: Command) =>
      runVerb(command, { doing: `measuring ${reference}` }, async (options) => {
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
  const platform = isStated(config.platform) ? { platform: formatPlatform(config.platform) } : {};
  return {
    json: { digest: manifest.digest, ...platform, ...sizes },
    value: String(value),
    ...(warning !== undefined && { warnings: [warning] }),
  };
}
