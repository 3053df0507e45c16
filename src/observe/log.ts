/**
 * Owns the log: pino, pretty on a terminal, JSON otherwise. Callers never pass URLs with queries, headers or
 * credentials; the redaction here is the second line of defence, not the first.
 */
import { createRequire } from "node:module";
import { Writable } from "node:stream";
import { type Logger, pino } from "pino";
import type { PinoPretty } from "pino-pretty";
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
 * A log that writes to standard output, or to `output`. A JSON line has its level as a word and its time as an ISO date. A failure of
 * standard output never stops the process.
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
  if (isPretty) return pino(options, prettyInto(output ?? openStandardOutput(), isTerminal && hasColours()));
  return pino(options, output === undefined ? visibleStandardOutput() : visibleInto(output));
}

let lastTime = 0;
let lastText = "";

/** The time in the form that pino wants. It is formatted once for each millisecond: that costs half as much as the rest of a line. */
function isoTime(): string {
  const now = Date.now();
  if (now !== lastTime) {
    lastTime = now;
    lastText = `,"time":"${new Date(now).toISOString()}"`;
  }
  return lastText;
}

/** Node's own rule: NO_COLOR, FORCE_COLOR, and terminals that say they are dumb. */
function hasColours(): boolean {
  return process.stdout.isTTY === true && process.stdout.hasColors();
}

/** Control characters in names of registries and archives are made visible here; those in the output are our own colours. */
function prettyInto(output: Output, colorize: boolean): Output {
  // Loaded only here: thirty files that a server in a container has no use for.
  const pretty: typeof PinoPretty = createRequire(import.meta.url)("pino-pretty");
  const lines = pretty({
    colorize,
    translateTime: "SYS:HH:MM:ss.l",
    singleLine: true,
    // A separate stream: an error of the output would end the one that pino-pretty writes into.
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

/** Lines of so many characters are written without waiting for more. */
const ONE_WRITE = 16 * 1024;

/**
 * Pino's own kind of stream, because pino flushes no other kind when the process ends. The lines of one round of the event loop go out together:
 * one write for each of them takes more time than making them.
 */
function visibleStandardOutput(): StandardOutput {
  const output = openStandardOutput();
  const write = output.write.bind(output);
  const flushSync = output.flushSync.bind(output);
  let lines = "";
  const writeLines = () => {
    if (lines !== "") write(visibleText(lines));
    lines = "";
  };
  output.write = (line) => {
    if (lines === "") setImmediate(writeLines);
    lines += line;
    if (lines.length >= ONE_WRITE) writeLines();
    return true;
  };
  output.flushSync = () => {
    writeLines();
    flushSync();
  };
  return output;
}

type Output = { write(line: string): unknown };

type StandardOutput = ReturnType<typeof pino.destination>;

/** Bytes that are kept for an output that is slow, or fails for a while (a full disk). Beyond them, lines are dropped. */
const MOST_WAITING = 2 ** 20;
const TRY_AGAIN_MS = 5_000;

/** The process goes on when the terminal was closed or the disk is full. */
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
  // Called at the end of the process; when nothing can be written, it would try for ever.
  const flushSync = output.flushSync.bind(output);
  output.flushSync = () => {
    if (!isBroken) flushSync();
  };
  return output;
}

/** Says nothing: the default of every library entry point, and of tests. */
export const silentLog: Log = pino({ level: "silent" });
