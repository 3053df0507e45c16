/** Owns how tests find out whether a command line that some text names is one of Granary. */
import type { Command } from "commander";
import { commands } from "../../src/cli/commands.ts";

/** The first word of a command line that no command or option of Granary is called by. */
export async function unknownIn(line: string): Promise<string | undefined> {
  let known: readonly Command[] = await commands();
  let options: readonly string[] = ["--help"];
  for (const word of line.split(/\s+/)) {
    if (word.startsWith("--")) {
      if (!options.includes(word)) return word;
      continue;
    }
    const command = known.find((one) => one.name() === word);
    if (known.length > 0 && command === undefined) return word;
    if (command === undefined) continue;
    known = command.commands;
    options = command.options.map(({ long }) => long ?? "");
  }
  return undefined;
}
