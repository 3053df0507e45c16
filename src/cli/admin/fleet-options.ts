/** Owns how records of a whole fleet are asked for on the command line, and that nodes which did not answer are named. */
import type { Command } from "commander";
import { tell } from "../output.ts";
import { asAdminVerb } from "./admin-options.ts";

export type WhoseFlags = { readonly fleet?: boolean; readonly node?: string };

type Heard = {
  readonly node: string;
  readonly seenAt?: number | undefined;
  readonly missing: readonly { readonly node: string; readonly reason: string }[];
};

const HELP = `
In a fleet each node has its own records. With --fleet or --node the node that is asked asks the others, for a second at most, and
names on standard error those that did not answer: of them nothing is shown.`;

/** A verb that shows `what` ("events") of one Granary, of one node or of a whole fleet, with its examples. */
export function asRecordsVerb(command: Command, what: string, ...examples: readonly string[]): Command {
  command
    .option("--fleet", `the ${what} of all nodes of the fleet that it is one of`)
    .option("--node <name>", `the ${what} of this node of the fleet (granary fleet lists them)`);
  return asAdminVerb(command, ["alone"], ...examples).addHelpText("after", HELP);
}

/** The same parameters have the same names there. */
export function whoseQuery({ fleet, node }: WhoseFlags): WhoseFlags {
  return { ...(fleet === true && { fleet }), ...(node !== undefined && { node }) };
}

/** On standard error: a script that reads the rest is not disturbed. `heard`: what the answer says of the nodes; `otherwise` is said where none is missing. */
export function tellMissing({ fleet }: WhoseFlags, heard: Heard | undefined, otherwise?: string): void {
  if (heard === undefined) {
    if (fleet === true) tell("granary: this Granary is no node of a fleet; what follows is its own.");
    return;
  }
  for (const { reason } of heard.missing) tell(`granary: missing: ${reason}`);
  if (heard.missing.length === 0 && otherwise !== undefined) tell(`granary: ${otherwise}.`);
  if (heard.seenAt === undefined)
    tell(`granary: the database has told ${heard.node} of no other node yet: there may be some.`);
}
