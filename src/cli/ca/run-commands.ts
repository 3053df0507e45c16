/** Owns the programs by which a system takes certificates in: found before anything is changed, run to their end, and what they say when they fail. */
import { findProgram, lastLine, runProgram } from "../../doctor/run-program.ts";
import type { Environment } from "../../environment.ts";
import { GranaryError } from "../../errors.ts";
import type { Command } from "../../setup/trust/trust-plan.ts";

/** macOS asks a person for a password meanwhile. */
const TIMEOUT_MS = 120_000;

/** The path of each program. Throws `conflict` where one is not installed. */
export async function findPrograms(
  commands: readonly Command[],
  env: Environment,
): Promise<ReadonlyMap<string, string>> {
  const programs = new Map<string, string>();
  for (const [name] of commands) {
    const path = await findProgram(name, env);
    if (path === undefined) throw missing(name);
    programs.set(name, path);
  }
  return programs;
}

/** One after the other. Throws `conflict` for the first that fails, with what it said. */
export async function runAll(
  commands: readonly Command[],
  programs: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [name, ...args] of commands) {
    const { isDone, err } = await runProgram(programs.get(name) ?? name, args, TIMEOUT_MS);
    if (!isDone) throw failed([name, ...args].join(" "), lastLine(err));
  }
}

function missing(name: string): GranaryError {
  const text = `The program ${name} is not installed: install it (the package ca-certificates has it on Linux), then run this again. Nothing was changed.`;
  return new GranaryError("conflict", text, { target: name, saysWhatToDo: true });
}

function failed(command: string, why: string): GranaryError {
  const text = `${command} failed: ${why.replace(/\.$/, "")}. The files are written; run it again when it can work.`;
  return new GranaryError("conflict", text, { target: command, saysWhatToDo: true });
}
