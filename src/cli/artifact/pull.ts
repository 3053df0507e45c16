/** Owns `granary artifact pull`: the files of an artifact into a directory. */
import { Command } from "commander";
import { formatBytes, parseBytes } from "../../bytes/units.ts";
import type { FetchedArtifact } from "../../client/artifacts/fetch-artifact.ts";
import { formatReference } from "../../oci/reference.ts";
import type { CommonFlags } from "../common-options.ts";
import { asVerb } from "../help.ts";
import type { VerbAnswer } from "../output.ts";
import { runVerb } from "../run-verb.ts";

type PullFlags = CommonFlags & { readonly type?: string; readonly maxSize?: string };

export function artifactPullCommand(): Command {
  const command = new Command("pull")
    .description("Pull the files of an artifact (ORAS, ModelPack), verified, and print its digest.")
    .argument("<reference>", "such as ghcr.io/org/model:1.0")
    .argument("<directory>", "where its files go; different files there are never replaced")
    .option("--type <artifact-type>", "what it must be, by its own word")
    .option("--max-size <size>", "refuse more than this, such as 20GiB (default: 512MiB)")
    .action((reference: string, directory: string, { type, maxSize }: PullFlags, command: Command) =>
      runVerb(
        command,
        { doing: `pulling ${reference}`, keptWhere: `beside ${directory}` },
        async (options) => {
          const { fetchArtifact } = await import("../../library/artifacts.ts");
          const limits = {
            ...(type !== undefined && { artifactType: type }),
            ...(maxSize !== undefined && { maxBytes: parseBytes(maxSize) }),
          };
          return answerOf(await fetchArtifact(reference, directory, { ...options, ...limits }), directory);
        },
      ),
    );
  return asVerb(
    command,
    ["platform", "registry", "quiet"],
    "granary artifact pull ghcr.io/org/model:1.0 model --max-size 20GiB",
  );
}

function answerOf(pulled: FetchedArtifact, directory: string): VerbAnswer {
  const { pinned, digest, artifactType, isModelPack, files, fetched } = pulled;
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const count = files.length === 1 ? "1 file" : `${files.length} files`;
  return {
    json: { reference: formatReference(pinned), digest, artifactType, isModelPack, size, fetched, files },
    value: digest,
    sentence: `${count} of ${formatReference(pinned)} are in ${directory}, verified (${formatBytes(size)}).`,
  };
}
