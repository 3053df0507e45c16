/** Owns where the configuration file is looked for. It reads none: who finds none need not load what reads it. */
import { access } from "node:fs/promises";
import type { Environment } from "../environment.ts";

export const USUAL_CONFIG = "/etc/granary/granary.yaml";

/**
 * The file to use when the command line names none: $GRANARY_CONFIG, then the usual path if a file is there. undefined stands for the
 * built-in settings. All verbs look in the same places. A named file that does not exist is an error of whoever reads it.
 */
export async function findConfig(named: string | undefined, env: Environment): Promise<string | undefined> {
  if (named !== undefined) return named;
  const { GRANARY_CONFIG: fromEnv } = env;
  if (fromEnv !== undefined && fromEnv !== "") return fromEnv;
  return await access(USUAL_CONFIG).then(
    () => USUAL_CONFIG,
    () => undefined,
  );
}
