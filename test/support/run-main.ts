/**
 * Owns the command line inside the test's own process, for what needs no process of its own: help, mistakes of use, texts in and out.
 * Starting one costs half a second of a processor. One run at a time; `serve`, signals and standard input are for real processes.
 */
import { main } from "../../src/cli/main.ts";
import type { Ended } from "./run-granary.ts";

export type Place = { readonly cwd: string; readonly env: Readonly<Record<string, string>> };

/** The same with standard output as a terminal of so many columns. */
export async function runAtTerminal(columns: number, args: readonly string[], place?: Place): Promise<Ended> {
  const { isTTY, columns: before } = process.stdout;
  Object.assign(process.stdout, { isTTY: true, columns });
  try {
    return await runMain(args, place);
  } finally {
    Object.assign(process.stdout, { isTTY, columns: before });
  }
}

/** At `place` where one is given: its working directory, and its variables over those of the tests. */
export async function runMain(args: readonly string[], place?: Place): Promise<Ended> {
  const leave = place === undefined ? () => {} : enter(place);
  const out = capture(process.stdout);
  const err = capture(process.stderr);
  const { exitCode } = process;
  process.exitCode = undefined;
  try {
    await main(["node", "granary", ...args]);
    return { code: Number(process.exitCode ?? 0), out: out.text(), err: err.text() };
  } finally {
    process.exitCode = exitCode;
    out.end();
    err.end();
    leave();
  }
}

/** What it gives goes back to where the tests were. */
function enter({ cwd, env }: Place): () => void {
  const before = process.cwd();
  const { env: variables } = process;
  process.chdir(cwd);
  process.env = { ...variables, ...env };
  return () => {
    process.chdir(before);
    process.env = variables;
  };
}

/** What is written to `stream` from now on, in place of writing it; `end` leaves the stream as it was. */
function capture(stream: NodeJS.WriteStream) {
  const write = stream.write;
  const listeners = stream.listeners("error");
  let text = "";
  stream.write = (chunk: string | Uint8Array) => {
    text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
    return true;
  };
  return {
    text: () => text,
    end: () => {
      stream.write = write;
      // main listens to it for as long as its process lives.
      for (const listener of stream.listeners("error")) {
        if (!listeners.includes(listener)) stream.off("error", listener as (error: Error) => void);
      }
    },
  };
}
