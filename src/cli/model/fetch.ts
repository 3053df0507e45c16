/** Owns `granary model fetch`: a model's weights as a file, all of it as a folder, or all of it into Ollama's own store. */
import { Command } from "commander";
import { formatBytes } from "../../bytes/units.ts";
import type { ModelTarget } from "../../client/models/fetch-model.ts";
import type { FetchedModel } from "../../client/models/model-manifest.ts";
import { formatReference } from "../../oci/reference.ts";
import { type CommonFlags, MODEL_ARGUMENT } from "../common-options.ts";
import { misused } from "../exit-code.ts";
import { asVerb } from "../help.ts";
import type { VerbAnswer } from "../output.ts";
import { runVerb } from "../run-verb.ts";

type FetchFlags = CommonFlags & { readonly all?: boolean; readonly ollamaStore?: string };

export function modelFetchCommand(): Command {
  const command = new Command("fetch")
    .description(
      "Fetch a model, verified. What an earlier run left, and what is there already, is not fetched again.",
    )
    .argument(...MODEL_ARGUMENT)
    .argument("[path]", "the file that gets the weights; with --all the directory that gets everything")
    .option("--all", "every layer, the config and the manifest, as files named for their roles")
    .option(
      "--ollama-store <directory>",
      "everything, so that Ollama runs it without pulling: what OLLAMA_MODELS names",
    )
    .action(async (name: string, path: string | undefined, flags: FetchFlags, command: Command) => {
      const target = targetOf(path, flags);
      const work = { doing: `fetching ${name}`, keptWhere: placeOf(target) };
      await runVerb(command, work, async (options) => {
        const { fetchModel } = await import("../../library/models.ts");
        return answerOf(await fetchModel(name, target, options), target);
      });
    });
  return asVerb(
    command,
    ["registry", "quiet"],
    "granary model fetch gemma:2b gemma.gguf",
    "granary model fetch gemma:2b gemma --all",
    "granary model fetch gemma:2b --ollama-store ~/.ollama/models",
  );
}

/** Throws `config-invalid` for what does not go together. */
function targetOf(path: string | undefined, { all, ollamaStore }: FetchFlags): ModelTarget {
  if (ollamaStore !== undefined) {
    if (path !== undefined)
      throw misused(`With --ollama-store there is no other place: leave out "${path}".`);
    if (all === true) throw misused("--ollama-store takes everything anyway: leave out --all.");
    return { ollamaStore };
  }
  if (path === undefined) {
    throw misused("Say where it goes: a file, a directory with --all, or --ollama-store and a directory.");
  }
  return all === true ? { directory: path } : { file: path };
}

/** Where unfinished files lie. */
function placeOf(target: ModelTarget): string {
  if ("file" in target) return `in ${target.file}.partial`;
  return `in ${"directory" in target ? target.directory : target.ollamaStore}`;
}

function answerOf({ model, parts, otherWeights, fetched }: FetchedModel, target: ModelTarget): VerbAnswer {
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const [place = ""] = Object.values(target);
  const reference = formatReference(model.reference);
  return {
    json: { reference, digest: model.manifest.digest, size, fetched, parts, otherWeights },
    sentence: `${reference} is in ${place}, verified (${formatBytes(size)}).`,
    ...(otherWeights.length > 0 && { warnings: [splitWarning(otherWeights.length)] }),
  };
}

function splitWarning(others: number): string {
  return `The model's weights are split: ${others} further ${others === 1 ? "part is" : "parts are"} left out; --all fetches every part.`;
}
