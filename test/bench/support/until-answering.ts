/** Owns waiting until a server answers on its port. */
import { setTimeout as delay } from "node:timers/promises";
import type { Child } from "./children.ts";

/** Resolves once any HTTP answer comes; throws when the process ends first or after 20 seconds. */
export async function untilAnswering(
  port: number,
  path: string,
  child: Child,
  logFile: string,
): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    if (child.exited()) break;
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      await response.arrayBuffer();
      return;
    } catch {
      // Not listening yet: that is what this loop waits for.
      await delay(25);
    }
  }
  await child.stop();
  throw new Error(`nothing answers on port ${port}; see ${logFile}`);
}
