/**
 * Owns what the command line prints: values and JSON on standard output, for scripts; sentences on standard error, for people.
 */
import { messageOf } from "../errors.ts";
import { adviceFor } from "./advice.ts";

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

/** Exactly these bytes; on a terminal the prompt gets a line of its own. */
export function printBytes(bytes: Uint8Array): void {
  process.stdout.write(bytes);
  if (process.stdout.isTTY === true) process.stdout.write("\n");
}

/** For people: one value over several lines. */
export function formatJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}

/** A sentence on standard error. */
export function tell(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

export function tellFailure(error: unknown): void {
  const sentence = sentenceOf(error);
  const advice = adviceFor(error);
  tell(`granary: ${withAdvice(sentence, advice)}`);
}

function withAdvice(sentence: string, advice: string | undefined): string {
  if (advice === undefined) return sentence;
  return /^[A-Z]/.test(advice) ? `${sentence} ${advice}.` : `${sentence.replace(/\.$/, "")}: ${advice}.`;
}
