/** Owns port numbers and readiness: a free port on loopback, and waiting until a server answers on it. */
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Child } from "./children.ts";

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

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
