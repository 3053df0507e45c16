/** Owns `granary blob fetch`: one blob by its digest, into a file or on to the next program. */
import { Command } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import type { LibraryOptions } from "../../library/library-options.ts";
import type { CommonFlags } from "../common-options.ts";
import { misused } from "../exit-code.ts";
import { asVerb } from "../help.ts";
import type { VerbAnswer } from "../output.ts";
import { runVerb } from "../run-verb.ts";

/** As shells count a program that wrote to a pipe which nobody reads any more: 128 and SIGPIPE. */
const BROKEN_PIPE = 141;

export function blobFetchCommand(): Command {
  const command = new Command("fetch")
    .description("Fetch one blob, verified. What an earlier run left of a file is not fetched again.")
    .argument("<repository>", "where it lies, such as registry.ollama.ai/library/gemma")
    .argument("<digest>", "sha256:<64 hex>")
    .argument(
      "<file>",
      "where it goes; another file there is replaced when the blob is whole; - is standard output",
    )
    .action(
      async (repository: string, digest: string, file: string, flags: CommonFlags, command: Command) => {
        const doing = `fetching ${digest} of ${repository}`;
        if (file !== "-") {
          const work = { doing, keptWhere: `in ${file}.partial` };
          return await runVerb(command, work, (options) => toFile(repository, digest, file, options));
        }
        checkOutput(flags);
        await runVerb(command, { doing }, (options) => toOutput(repository, digest, options));
      },
    );
  return asVerb(
    command,
    ["registry", "quiet"],
    "granary blob fetch registry.ollama.ai/library/gemma \\\n    sha256:109037bec39c0becc8221222ae23557559bc594290945a2c4221ab4f303b8871 template.txt",
    "granary blob fetch alpine sha256:<64 hex> - | tar -xz -C rootfs",
  );
}

async function toFile(
  repository: string,
  digest: string,
  file: string,
  options: LibraryOptions,
): Promise<VerbAnswer> {
  const { fetchBlob } = await import("../../library/blobs.ts");
  const json = await fetchBlob(repository, digest, file, options);
  const size = formatBytes(json.size);
  const sentence =
    json.fetched === 0 ? `${file} is that blob already (${size}).` : `${file} is there, verified (${size}).`;
  return { json, sentence };
}

/** Throws `config-invalid` where bytes would be in the way. */
function checkOutput({ json }: CommonFlags): void {
  if (json === true) throw misused("With - the bytes go to standard output: leave out --json.");
  if (process.stdout.isTTY === true) {
    throw misused(
      "Standard output is a terminal, and a blob is no text: name a file, or send it on with | or >.",
    );
  }
}

/** The last bytes go out when the digest is known to be right; whoever stops reading before gets an exit code that says so. */
async function toOutput(repository: string, digest: string, options: LibraryOptions): Promise<VerbAnswer> {
  const { readBlob } = await import("../../library/blobs.ts");
  process.exitCode = BROKEN_PIPE;
  const size = await readBlob(repository, digest, written, options);
  process.exitCode = 0;
  return {
    json: undefined,
    sentence: `The blob was written to standard output, verified (${formatBytes(size)}).`,
  };
}

function written(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
