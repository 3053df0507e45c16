/**
 * Owns the log: pino, pretty on a terminal, JSON otherwise. Callers never pass URLs with queries, headers or
 * credentials; the redaction here is the second line of defence, not the first.
 */
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";

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
  return isPretty
    ? pino(
        options,
        pretty({
          colorize: process.stdout.isTTY === true,
          translateTime: "SYS:HH:MM:ss.l",
          singleLine: true,
        }),
      )
    : pino(options);
}

/** Says nothing: the default of every library entry point, and of tests. */
export const silentLog: Log = pino({ level: "silent" });
