/** Owns what the command line prints: sentences for people, one JSON value per line for scripts. Nothing else writes. */
import { messageOf } from "../errors.ts";

/** The message of a failure, and of what caused it where that says more. Never a stack trace. */
export function sentenceOf(error: unknown): string {
  return messageOf(error).split("\n")[0] ?? "";
}

export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  printLine(JSON.stringify(value));
}
