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

export function createLog({ level, format }: LogOptions): Log {
  const options = { level, redact: SECRETS, base: null };
  const isPretty = format === "pretty" || (format === "auto" && process.stdout.isTTY === true);
  const output = openOutput(isPretty);
  return isPretty
    ? pino(
        options,
        legible(
          pretty({
            colorize: process.stdout.isTTY === true,
            translateTime: "SYS:HH:MM:ss.l",
            singleLine: true,
            // A stream of its own: an error of the output's would end the one that lines go through.
            destination: new Writable({
              write(lines: Buffer, _, done) {
                output.write(lines.toString("utf8"));
                done();
              },
            }),
          }),
        ),
      )
    : pino(options, output);
}

/** What is in a line is shown and never obeyed: names of registries and archives are in it. */
function legible(output: NodeJS.WritableStream): { write(line: string): void } {
  return { write: (line) => output.write(legibleJson(line)) };
}

/** What waits for a reader that is slow, or gone for a while (a full disk under a file): bytes. Beyond, lines are dropped. */
const MOST_WAITING = 2 ** 20;
const TRY_AGAIN_MS = 5_000;

/** Standard output. Whatever becomes of it, a terminal that was closed or a disk that is full, the process goes on. */
function openOutput(isPretty: boolean) {
  const output = pino.destination({
    dest: 1,
    sync: false,
    maxLength: MOST_WAITING,
    periodicFlush: TRY_AGAIN_MS,
  });
  const write = output.write.bind(output);
  // The colours of pretty lines are ours; in JSON nothing is.
  if (!isPretty) output.write = (line) => write(visibleText(line));
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
