/** Owns what a shell needs to know of the command line, read from the commands themselves: names, options, and what each value is. Pure. */
import type { Argument, Command, Option } from "commander";

/** What completes a value: names of files, of directories, these words, or nothing that a shell could know. */
export type ValueKind = "file" | "directory" | "text" | readonly string[];

export type OptionNode = {
  /** "-c", "--config". */
  readonly names: readonly string[];
  /** undefined for a switch. */
  readonly value: ValueKind | undefined;
  readonly label: string;
  readonly help: string;
};

export type ArgumentNode = { readonly kind: ValueKind; readonly label: string; readonly isVariadic: boolean };

export type CommandNode = {
  readonly name: string;
  /** The names below the program: "image", "size"; none for the program itself. */
  readonly path: readonly string[];
  readonly help: string;
  readonly options: readonly OptionNode[];
  readonly args: readonly ArgumentNode[];
  /** Without `help`, which takes the names of its siblings, at every depth. */
  readonly children: readonly CommandNode[];
};

export function commandTree(command: Command, path: readonly string[] = []): CommandNode {
  const help = command.createHelp();
  return {
    name: command.name(),
    path,
    help: firstSentence(command.description()),
    options: help.visibleOptions(command).map(optionNode),
    args: command.registeredArguments.map(argumentNode),
    children: command.commands
      .filter((child) => child.name() !== "help")
      .map((child) => commandTree(child, [...path, child.name()])),
  };
}

/** `root` and everything below it. */
export function allNodes(root: CommandNode): readonly CommandNode[] {
  return [root, ...root.children.flatMap(allNodes)];
}

function optionNode({ short, long, flags, required, optional, argChoices, description }: Option): OptionNode {
  const label = /[<[](.+)[>\]]$/.exec(flags)?.[1] ?? "";
  return {
    names: [short, long].flatMap((name) => name ?? []),
    value: required || optional ? kindOf(label, argChoices) : undefined,
    label,
    help: description,
  };
}

function argumentNode(argument: Argument): ArgumentNode {
  const { variadic, argChoices } = argument;
  return { kind: kindOf(argument.name(), argChoices), label: argument.name(), isVariadic: variadic };
}

/** By the words that the help uses for values. */
function kindOf(label: string, choices: readonly string[] | undefined): ValueKind {
  if (choices !== undefined) return choices;
  if (label === "directory") return "directory";
  return ["file", "path", "tar"].includes(label) ? "file" : "text";
}

function firstSentence(text: string): string {
  return /^.*?\.(?=\s|$)/.exec(text)?.[0] ?? text;
}
