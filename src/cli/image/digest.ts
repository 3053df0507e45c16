/** Owns `granary image digest`: which content a reference stands for now. */
import { Command } from "commander";
import { formatPlatform } from "../../oci/platform.ts";
import { type CommonFlags, IMAGE_ARGUMENT } from "../common-options.ts";
import { asVerb } from "../help.ts";
import { runVerb } from "../run-verb.ts";

export function imageDigestCommand(): Command {
  const command = new Command("digest")
    .description(
      "Print the digest that a reference stands for: of the index where it is one, with --platform of that image. --json says which.",
    )
    .argument(...IMAGE_ARGUMENT)
    .action((reference: string, _: CommonFlags, command: Command) =>
      runVerb(command, { doing: `asking for the digest of ${reference}` }, async (options) => {
        const { imageDigest } = await import("../../library/images.ts");
        const { digest, kind, platform } = await imageDigest(reference, options);
        const json = { digest, kind, ...(platform !== undefined && { platform: formatPlatform(platform) }) };
        return { json, value: digest };
      }),
    );
  return asVerb(
    command,
    ["platform", "registry"],
    "granary image digest alpine",
    "granary image digest alpine --platform linux/arm64 --json",
  );
}
