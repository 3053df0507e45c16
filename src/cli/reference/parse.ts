/** Owns `granary reference parse`: what a text means, without asking anybody. */
import { Command } from "commander";
import { formatReference, parseReference, type Reference } from "../../oci/reference.ts";
import { parseModelName } from "../../ollama/model-name.ts";
import type { Fact } from "../facts.ts";
import { withExamples } from "../help.ts";
import { printAnswer } from "../output.ts";

type ParseFlags = { readonly model?: boolean; readonly json?: boolean };

export function referenceParseCommand(): Command {
  const command = new Command("parse")
    .description(
      "Say which image or model a text means, with every default filled in. Nothing is asked of a registry.",
    )
    .argument("<text>", "such as alpine, ghcr.io/org/app:1.2 or ollama://gemma:2b")
    .option("--model", "read it as the name of a model, as `ollama://` in front does")
    .option("--json", "print the parts as one JSON value")
    .action((text: string, flags: ParseFlags) => {
      const isModel = flags.model === true || text.startsWith("ollama://");
      const reference = isModel ? parseModelName(text) : parseReference(text);
      const canonical = formatReference(reference);
      const facts = () => factsOf(reference, canonical);
      printAnswer({ json: { ...reference, canonical }, value: canonical, facts }, flags);
    });
  return withExamples(command, [
    "granary reference parse alpine",
    "granary reference parse --model hf.co/org/model:Q4_K_M --json",
  ]);
}

function factsOf({ registry, repository, tag, digest }: Reference, canonical: string): Fact[] {
  return [
    ["Name", canonical],
    ["Registry", registry],
    ["Repository", repository],
    ["Tag", tag],
    ["Digest", digest],
  ];
}
