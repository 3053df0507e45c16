/** Owns `granary image extract`: the file system of an image as a directory. */
import { Command } from "commander";
import { formatBytes, parseBytes } from "../../bytes/units.ts";
import type { Extraction } from "../../client/extraction/unpack-image.ts";
import { parseImageLocation } from "../../client/images/image-location.ts";
import { type CommonFlags, IMAGE_ARGUMENT } from "../common-options.ts";
import { misused } from "../exit-code.ts";
import { asVerb } from "../help.ts";
import type { VerbAnswer } from "../output.ts";
import { runVerb, type VerbWords } from "../run-verb.ts";

type ExtractFlags = CommonFlags & {
  readonly replace?: boolean;
  readonly maxSize?: string;
  readonly maxEntries?: string;
  readonly keepSpecialBits?: boolean;
  readonly temporaryDirectory?: string;
};

export function imageExtractCommand(): Command {
  const command = new Command("extract")
    .description(
      "Unpack an image into a directory, layer by layer, verified; it is in place when all of it is right.",
    )
    .argument(...IMAGE_ARGUMENT)
    .argument("<directory>", "where it goes; must be empty or absent, unless --replace is given")
    .option("--replace", "put the image in the place of what is in the directory")
    .option(
      "--max-size <size>",
      "refuse to unpack more than this, such as 20GiB (default: 128GiB, or what the disk has free)",
    )
    .option(
      "--max-entries <count>",
      "refuse to unpack more files and directories than this (default: 1000000)",
    )
    .option(
      "--keep-special-bits",
      "keep setuid and setgid bits, which give whoever runs a program the rights of its owner: yours, here",
    )
    .option(
      "--temporary-directory <directory>",
      "for layers until they are unpacked (default: beside the directory)",
    )
    .action((reference: string, directory: string, flags: ExtractFlags, command: Command) =>
      runVerb(command, wordsOf(reference, directory, flags), async (options) => {
        const { extractImage } = await import("../../library/images.ts");
        return answerOf(await extractImage(reference, directory, { ...options, ...extractOptionsOf(flags) }));
      }),
    );
  return asVerb(
    command,
    ["platform", "registry", "quiet"],
    "granary image extract alpine rootfs",
    "granary image extract ocifile:app.tar rootfs --replace",
  );
}

/** Layers of an archive or of an engine are at hand: none of them is kept. */
function wordsOf(reference: string, directory: string, { temporaryDirectory }: ExtractFlags): VerbWords {
  const doing = `extracting ${reference}`;
  if (parseImageLocation(reference).kind !== "registry") return { doing };
  return {
    doing,
    keptWhere: temporaryDirectory === undefined ? `beside ${directory}` : `in ${temporaryDirectory}`,
  };
}

function extractOptionsOf(flags: ExtractFlags) {
  const { replace, maxSize, maxEntries, keepSpecialBits, temporaryDirectory } = flags;
  return {
    ...(keepSpecialBits !== undefined && { keepSpecialBits }),
    ...(replace !== undefined && { replace }),
    ...(maxSize !== undefined && { maxBytes: parseBytes(maxSize) }),
    ...(maxEntries !== undefined && { maxEntries: countOf(maxEntries) }),
    ...(temporaryDirectory !== undefined && { temporaryDirectory }),
  };
}

function countOf(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw misused(`--max-entries takes a whole number above 0, not "${text}".`);
}

function answerOf({ warnings, ...extraction }: Extraction): VerbAnswer {
  const { directory, bytes, entries } = extraction;
  return {
    json: { ...extraction, warnings },
    warnings,
    sentence: `${directory} is there, verified (${formatBytes(bytes)}, ${entries} entries).`,
  };
}
