/** Owns `granary blob fetch`: one blob by its digest into a file. */
import { Command } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import { fetchBlob } from "../../library/blobs.ts";
import type { CommonFlags } from "../common-options.ts";
import { asVerb } from "../help.ts";
import { runVerb } from "../run-verb.ts";

export function blobFetchCommand(): Command {
  const command = new Command("fetch")
    .description("Fetch one blob into a file, verified. What an earlier run left is not fetched again.")
    .argument("<repository>", "where it lies, such as registry.ollama.ai/library/gemma")
    .argument("<digest>", "sha256:<64 hex>")
    .argument("<file>", "where it goes; another file there is replaced when the blob is whole")
    .action((repository: string, digest: string, file: string, _: CommonFlags, command: Command) =>
      runVerb(
        command,
        { doing: `fetching ${digest} of ${repository}`, keptWhere: `in ${file}.partial` },
        async (options) => {
          const json = await fetchBlob(repository, digest, file, options);
          const size = formatBytes(json.size);
          const sentence =
            json.fetched === 0
              ? `${file} is that blob already (${size}).`
              : `${file} is there, verified (${size}).`;
          return { json, sentence };
        },
      ),
    );
  return asVerb(
    command,
    ["registry", "quiet"],
    "granary blob fetch registry.ollama.ai/library/gemma \\\n    sha256:109037bec39c0becc8221222ae23557559bc594290945a2c4221ab4f303b8871 template.txt",
  );
}
