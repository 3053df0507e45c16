/** Owns how verbs of one noun stand together: `granary image ...`. */
import { Command } from "commander";
import { withExamples } from "./as-verb.ts";

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
