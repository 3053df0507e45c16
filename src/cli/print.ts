/** Owns how an answer comes out: the value or the JSON alone on standard output, the closing sentence on standard error. */
import { printBytes, printJson, printLine, tell } from "./output.ts";

export type Answer = {
  /** What --json prints. */
  readonly json: unknown;
  /** What scripts read without --json: on standard output, alone. */
  readonly value?: string | Uint8Array;
  /** What people should know although it went well: on standard error, also when quiet. */
  readonly warnings?: readonly string[];
  /** What people like to hear in the end: on standard error, unless quiet. */
  readonly sentence?: string;
};

export function print(
  { json, value, warnings = [], sentence }: Answer,
  flags: { readonly json?: boolean; readonly quiet?: boolean },
): void {
  for (const warning of warnings) tell(`granary: ${warning}`);
  if (sentence !== undefined && flags.quiet !== true) tell(sentence);
  if (flags.json === true) printJson(json);
  else if (typeof value === "string") printLine(value);
  else if (value !== undefined) printBytes(value);
}
