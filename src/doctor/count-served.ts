/** Owns reading how much a server has answered so far, from the metrics of one of its listeners. */
import { answerOf, type ProbeOptions } from "./probe-listener.ts";
import type { Served } from "./prove-pull.ts";

/** Of `upstream`, manifests and blobs together; undefined where the metrics cannot be read, as behind a login. */
export async function countServed(
  origin: string,
  upstream: string,
  options: ProbeOptions,
): Promise<Served | undefined> {
  try {
    const { status, text } = await answerOf(new URL("/metrics", origin), options);
    if (status !== 200) return undefined;
    return {
      requests: sumOf(text, "granary_requests_total", upstream),
      bytes: sumOf(text, "granary_client_bytes_total", upstream),
    };
  } catch {
    return undefined;
  }
}

/** The text form of Prometheus: `name{label="value",...} number`. */
function sumOf(text: string, name: string, upstream: string): number {
  const lines = text
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) && line.includes(`upstream="${upstream}"`));
  const counted = lines.filter((line) => /kind="(?:manifest|blob)"/.test(line));
  return counted.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
