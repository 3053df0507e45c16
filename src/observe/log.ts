/**
 * Owns the log: pino, pretty on a terminal, JSON otherwise. Callers never pass URLs with queries, headers or
 * credentials; the redaction here is the second line of defence, not the first.
 */
import { Writable } from "node:stream";
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import { legibleJson, visibleText } from "./visible-text.ts";

export type Log = Logger;

const SECRETS = [
  "authorization",
  "cookie",
  "password",
  "token",
  "*.authorization",
  "*.cookie",
  "*.password",
  "*.token",
];

export type LogOptions = {
  readonly level: string;
  /** "auto" is pretty on a terminal and JSON otherwise. */
  readonly format: "auto" | "pretty" | "json";
};

/**
 * A log that writes to standard output, or to `output`. A JSON line has its level as a word and its time as an ISO date. Whatever becomes
 * of standard output, the process goes on.
 */
export function createLog({ level, format }: LogOptions, output?: NodeJS.WritableStream): Log {
  const isTerminal = output === undefined && process.stdout.isTTY === true;
  const isPretty = format === "pretty" || (format === "auto" && isTerminal);
  const options = {
    level,
    redact: SECRETS,
    base: null,
    timestamp: isoTime,
    formatters: { level: (word: string) => ({ level: word }) },
  };
  if (isPretty) return pino(options, prettyInto(output ?? openStandardOutput(), isTerminal));
  return pino(options, output === undefined ? visibleStandardOutput() : visibleInto(output));
}

let lastTime = 0;
let lastText = "";

/** The time as pino wants it, an ISO date; writing one out costs as much as the rest of a line, and many lines share a millisecond. */
function isoTime(): string {
  const now = Date.now();
  if (now !== lastTime) {
    lastTime = now;
    lastText = `,"time":"${new Date(now).toISOString()}"`;
  }
  return lastText;
}

/** The colours of pretty lines are ours; names of registries and archives that stand in a line are shown and never obeyed. */
function prettyInto(output: Output, colorize: boolean): Output {
  const lines = pretty({
    colorize,
    translateTime: "SYS:HH:MM:ss.l",
    singleLine: true,
    // A stream of its own: an error of the output's would end the one that lines go through.
    destination: new Writable({
      write(text: Buffer, _, done) {
        output.write(text.toString("utf8"));
        done();
      },
    }),
  });
  return { write: (line) => lines.write(legibleJson(line)) };
}

function visibleInto(output: Output): Output {
  return { write: (line) => output.write(visibleText(line)) };
}

/** Pino flushes this one when the process ends, which it does for its own kind of stream alone. */
function visibleStandardOutput(): StandardOutput {
  const output = openStandardOutput();
  const write = output.write.bind(output);
  output.write = (line) => write(visibleText(line));
  return output;
}

type Output = { write(line: string): unknown };

type StandardOutput = ReturnType<typeof pino.destination>;

/** What waits for a reader that is slow, or gone for a while (a full disk under a file): bytes. Beyond, lines are dropped. */
const MOST_WAITING = 2 ** 20;
const TRY_AGAIN_MS = 5_000;

/** Whatever becomes of it, a terminal that was closed or a disk that is full, the process goes on. */
function openStandardOutput(): StandardOutput {
  const output = pino.destination({
    dest: 1,
    sync: false,
    maxLength: MOST_WAITING,
    periodicFlush: TRY_AGAIN_MS,
  });
  let isBroken = false;
  output.on("error", () => {
    isBroken = true;
  });
  output.on("write", () => {
    isBroken = false;
  });
  // Called at the end of the process; where nothing can be written it would try for ever.
  const flushSync = output.flushSync.bind(output);
  output.flushSync = () => {
    if (!isBroken) flushSync();
  };
  return output;
}

/** Says nothing: the default of every library entry point, and of tests. */
export const silentLog: Log = pino({ level: "silent" });
