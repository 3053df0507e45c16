/** Owns what makes a command one of the client verbs: the common options, and examples and exit codes in its help. */
import type { Command } from "commander";
import { withCommonOptions } from "./common-options.ts";
import { EXIT_CODES } from "./exit-code.ts";

/** `examples` are command lines that work as they stand. */
export function asVerb(command: Command, ...examples: readonly string[]): Command {
  return withExamples(withCommonOptions(command), examples).addHelpText("after", EXIT_CODES);
}

export function withExamples(command: Command, examples: readonly string[]): Command {
  const heading = examples.length === 1 ? "Example:" : "Examples:";
  return command.addHelpText("after", ["", heading, ...examples.map((line) => `  ${line}`)].join("\n"));
}
