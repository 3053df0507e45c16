/**
 * Owns what the command line prints: values and JSON on standard output, for scripts; sentences on standard error, for people. Nothing
 * that a terminal would obey gets past it, whoever wrote it.
 */
import { isGranaryError, messageOf } from "../errors.ts";
import { visibleLine, visibleText } from "../observe/visible-text.ts";
import { joinWords, readErrorWords } from "../oci/error-body.ts";
import { adviceFor } from "./advice.ts";
import type { Asked } from "./asked.ts";
import { type Fact, formatFacts } from "./facts.ts";

export type VerbAnswer = {
  /** What --json prints. */
  readonly json: unknown;
  /** What scripts read without --json: on standard output, alone. */
  readonly value?: string | Uint8Array;
  /** What people read in place of `value` where standard output is a terminal. */
  readonly facts?: (columns: number) => readonly Fact[];
  /** What people should know although it went well: on standard error, also when quiet. */
  readonly warnings?: readonly string[];
  /** What people like to hear in the end: on standard error, unless quiet. */
  readonly sentence?: string;
};

/** The value or the JSON alone on standard output, everything else on standard error. */
export function printAnswer(
  { json, value, facts, warnings = [], sentence }: VerbAnswer,
  flags: { readonly json?: boolean; readonly quiet?: boolean },
): void {
  for (const warning of warnings) tell(`granary: ${warning}`);
  if (sentence !== undefined && flags.quiet !== true) tell(sentence);
  if (flags.json === true) printJson(json);
  else if (facts !== undefined && process.stdout.isTTY === true) printFacts(facts);
  else if (typeof value === "string") printLine(value);
  else if (value !== undefined) printBytes(value);
}

/** Of standard output, and 80 where it does not say: some terminals, and what is no terminal. */
export function columnsOfOutput(): number {
  return process.stdout.columns > 0 ? process.stdout.columns : 80;
}

function printFacts(facts: NonNullable<VerbAnswer["facts"]>): void {
  const columns = columnsOfOutput();
  printLine(formatFacts(facts(columns), columns));
}

export function printLine(text: string): void {
  process.stdout.write(`${visibleText(text)}\n`);
}

export function printJson(value: unknown): void {
  printLine(JSON.stringify(value));
}

/** Exactly these bytes; on a terminal they are text, and the prompt gets a line of its own. */
function printBytes(bytes: Uint8Array): void {
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

/** One line: the first of the error's message, and what can be done about it. Never a stack trace. */
export function tellFailure(error: unknown, asked?: Asked): void {
  const [sentence = ""] = messageOf(error).split("\n");
  tell(`granary: ${withAdvice(withWords(sentence, error), adviceFor(error, asked))}`);
}

/** Why a version is refused (412) is kept as it was sent, which the message leaves out: plain text of Ollama's registry, JSON of others. */
function withWords(sentence: string, error: unknown): string {
  const text = isGranaryError(error) ? (error.facts.upstreamText ?? "") : "";
  const words = joinWords(readErrorWords(Buffer.from(text), undefined));
  return words === undefined ? sentence : `${sentence.replace(/\.$/, "")}: ${words}.`;
}

function withAdvice(sentence: string, advice: string | undefined): string {
  if (advice === undefined) return sentence;
  return /^[A-Z]/.test(advice) ? `${sentence} ${advice}.` : `${sentence.replace(/\.$/, "")}: ${advice}.`;
}
