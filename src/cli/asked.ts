/**
 * Owns what a command line asked for, in the words of who typed it: so that a sentence can name that, and not what it was turned into,
 * and can give a command that works. Pure.
 */
import type { Command } from "commander";

export type Asked = {
  /** "image extract". */
  readonly verb: string;
  /** The arguments, as typed. */
  readonly args: readonly string[];
  /** Options that were given, by their names in lower camel case. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Those of them that say how a registry is reached, as they stand on a command line. */
  readonly way: readonly string[];
  /** The same command once more, for a shell. */
  readonly again: string;
};

/** Options that every verb understands in the same way. */
const WAY = ["--via", "--insecure", "--ca-file", "--username", "--password-stdin", "--config"];

/** `command` is the one whose action runs. */
export function askedOf(command: Command): Asked {
  const path = pathOf(command);
  const given = command.options.filter((option) => isGiven(command, option.attributeName()));
  const way = given
    .filter(({ long }) => WAY.includes(long ?? ""))
    .flatMap((option) => [option.long ?? "", ...textsOf(command.getOptionValue(option.attributeName()))]);
  const flags = Object.fromEntries(
    given.map((option) => [option.attributeName(), command.getOptionValue(option.attributeName())]),
  );
  return { verb: path.slice(1).join(" "), args: command.args, flags, way, again: againOf(command) };
}

/** `words` as one line for a shell; logins inside URLs are left out. */
export function shellLine(words: readonly string[]): string {
  return words.map((word) => quoted(withoutLogin(word))).join(" ");
}

/** "granary", "image", "size". */
function pathOf(command: Command): string[] {
  return [...(command.parent === null ? [] : pathOf(command.parent)), command.name()];
}

function isGiven(command: Command, name: string): boolean {
  return command.getOptionValueSource(name) === "cli";
}

/** The value of an option, as it was typed; a switch has none. */
function textsOf(value: unknown): string[] {
  return typeof value === "string" ? [value] : [];
}

function againOf(command: Command): string {
  let root = command;
  while (root.parent !== null) root = root.parent;
  // Node and the program stand in front.
  const typed: readonly unknown[] = "rawArgs" in root && Array.isArray(root.rawArgs) ? root.rawArgs : [];
  return shellLine(["granary", ...typed.slice(2).map(String)]);
}

/** A login in a URL is not for the logs that a sentence may end in. */
function withoutLogin(word: string): string {
  return word.replace(/^((?:--via=)?https?:\/\/)[^/@]*@/i, "$1");
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
