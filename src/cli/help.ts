/**
 * Owns what explains a command beside its arguments and options: examples that work, exit codes, groups of one noun, and `help` at every
 * depth.
 */
import { Command } from "commander";
import { type Use, withCommonOptions } from "./common-options.ts";
import { EXIT_CODES } from "./exit-code.ts";

/** Makes `command` one of the client verbs. `examples` are command lines that work as they stand. */
export function asVerb(command: Command, uses: readonly Use[], ...examples: readonly string[]): Command {
  return withExamples(withCommonOptions(command, uses), examples).addHelpText("after", EXIT_CODES);
}

export function withExamples(command: Command, examples: readonly string[]): Command {
  const heading = examples.length === 1 ? "Example:" : "Examples:";
  return command.addHelpText("after", ["", heading, ...examples.map((line) => `  ${line}`)].join("\n"));
}

/** `granary NOUN ...`: the verbs of one noun. */
export function verbGroup(
  noun: string,
  description: string,
  verbs: readonly Command[],
  example: string,
): Command {
  const group = new Command(noun).description(description);
  for (const verb of verbs) group.addCommand(verb);
  return withExamples(group, [example]);
}

/** Gives `parent` and every group in it a `help` that goes down as deep as it is asked to. */
export function withHelp(parent: Command): Command {
  for (const group of parent.commands.filter(({ commands }) => commands.length > 0)) withHelp(group);
  return parent.helpCommand(false).addCommand(helpOf(parent));
}

/** Commander's own looks one name ahead: `granary help image extract` would show the help of `image`. */
function helpOf(parent: Command): Command {
  return new Command("help")
    .description("Show the help of a command.")
    .argument("[command...]", "its name, or its names, as in `granary help image extract`")
    .action((names: string[]) => {
      let found = parent;
      for (const name of names) found = childOf(found, name);
      found.outputHelp();
    });
}

/** Ends the command line with exit code 2 where there is no such child. */
function childOf(parent: Command, name: string): Command {
  const child = parent.commands.find((command) => command.name() === name);
  return child ?? parent.error(`error: unknown command '${name}'`);
}
