/**
 * Owns the probe: an un-ranged GET whose Location becomes the URL of all parts of the blob. It must not read the
 * body; the socket is destroyed as soon as the headers are there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { sameNameElseStop } from "./follow-redirects.ts";
import { drop } from "./http-exchange.ts";
import type { OllamaVersion } from "./ollama-version.ts";
import type { RegistrySession } from "./registry-session.ts";

/** Headers must come within this, all attempts together. */
const BUDGET_MS = 30_000;

export async function findDirectUrl(
  session: RegistrySession,
  blobUrl: URL,
  { probe }: OllamaVersion,
  { timeScale, limitScale, signal }: { timeScale: number; limitScale: number; signal: AbortSignal },
): Promise<URL> {
  const budget = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(BUDGET_MS * limitScale))]);
  for (let attempt = 1; ; attempt++) {
    const answer = await session
      .request(blobUrl, { redirects: sameNameElseStop, signal: budget })
      .catch(async (error) => {
        if (budget.aborted) throw new Error("context deadline exceeded", { cause: error });
        const backoffMs = Math.min(attempt ** 2 * 10, 10_000) * (0.5 + Math.random()) * timeScale;
        await sleep(backoffMs, undefined, { signal: budget });
        return undefined;
      });
    if (answer === undefined) continue;
    drop(answer);
    const good = probe === "redirect" ? [307] : [200, 307];
    if (!good.includes(answer.status)) throw new Error(`unexpected status code ${answer.status}`);
    const { location } = answer.headers;
    if (location === undefined) throw new Error("http: no Location header in response");
    return new URL(location, answer.url);
  }
}
