/**
 * Owns which configuration file counts where a command line names none: $GRANARY_CONFIG, then the usual place, then none. `serve` and
 * `health` look in the same places, so that a health check needs no argument of its own.
 */
import { access } from "node:fs/promises";
import type { Environment } from "../environment.ts";

export const USUAL_CONFIG = "/etc/granary/granary.yaml";

/** undefined stands for the built-in settings. A file that is named and not there is for its reader to complain of. */
export async function findConfig(named: string | undefined, env: Environment): Promise<string | undefined> {
  if (named !== undefined) return named;
  const { GRANARY_CONFIG: fromEnv } = env;
  if (fromEnv !== undefined && fromEnv !== "") return fromEnv;
  return await access(USUAL_CONFIG).then(
    () => USUAL_CONFIG,
    () => undefined,
  );
}
