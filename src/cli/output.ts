/**
 * Owns what the command line prints: values and JSON on standard output, for scripts; sentences on standard error, for people. Nothing
 * that a terminal would obey gets past it, whoever wrote it.
 */
import { messageOf } from "../errors.ts";
import { visibleLine, visibleText } from "../observe/visible-text.ts";
import { adviceFor } from "./advice.ts";

/** The message of a failure, and of what caused it where that says more. Never a stack trace. */
export function sentenceOf(error: unknown): string {
  return messageOf(error).split("\n")[0] ?? "";
}

export function printLine(text: string): void {
  process.stdout.write(`${visibleText(text)}\n`);
}

export function printJson(value: unknown): void {
  printLine(JSON.stringify(value));
}

/** Exactly these bytes; on a terminal they are text, and the prompt gets a line of its own. */
export function printBytes(bytes: Uint8Array): void {
  if (process.stdout.isTTY === true) printLine(Buffer.from(bytes).toString("utf8"));
  else process.stdout.write(bytes);
}

/** For people: one value over several lines. */
export function formatJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}

/** A sentence on standard error. */
export function tell(sentence: string): void {
  process.stderr.write(`${visibleLine(sentence)}\n`);
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
