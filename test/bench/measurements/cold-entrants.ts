/** Owns who takes part in cold rows and how a run of theirs is timed: caches with an empty store each time, and curl to disk. */
import { join } from "node:path";
import { type Bench, withContender } from "../bench.ts";
import type { Content } from "../material.ts";
import type { Contender } from "../peers/contender.ts";
import { presentOf, type Values } from "../rounds.ts";
import { atLeastTimes, atMostTimes, type Check, type ContenderName } from "../row.ts";
import { fetchAndHash, fetchToDisk } from "../support/curl.ts";
import { processorPerGib } from "../support/processor-time.ts";
import type { UpstreamAddress } from "../support/upstream.ts";

/** GB/s to all clients together, and seconds of the processor for each GiB that they got. */
type Sample = { readonly speed: number; readonly processor: number };

export type Entrant = {
  readonly name: ContenderName;
  /** `settle` waits until a cache has done what it does after its clients have left, and gives what else is worth a row. */
  readonly run: <T>(settle: () => Promise<T>) => Promise<Sample & T>;
};

export function cachesAmong(
  bench: Bench,
  contenders: readonly Contender[],
  upstream: UpstreamAddress,
  { path }: Content,
  connections: number,
): Entrant[] {
  return presentOf(bench, contenders).map((contender) => ({
    name: contender.name,
    run: (settle) =>
      withContender(bench, contender, upstream, async ({ port, pid }) => {
        const { speed, processor, settled } = await processorPerGib(pid, async () => {
          const report = await bench.runLoad({ port, path, connections, requests: 1 });
          const speed = report.bytes / report.seconds / 1e9;
          return { speed, bytes: report.bytes, settled: await settle() };
        });
        return { speed, processor, ...settled };
      }),
  }));
}

/** Without and with a look at the digest. */
export function curls(bench: Bench, upstream: UpstreamAddress, blob: Content): Entrant[] {
  const target = join(bench.directory, "curl-target");
  const entrant = (name: ContenderName, fetch: typeof fetchToDisk): Entrant => ({
    name,
    run: async (settle) => {
      const { seconds, processor } = await fetch(upstream, blob, target);
      return { speed: blob.size / seconds / 1e9, processor, ...(await settle()) };
    },
  });
  return [entrant("direct", fetchToDisk), entrant("curlHash", fetchAndHash)];
}

export function coldChecks(speed: Values, processor: Values): Check[] {
  return [
    atLeastTimes(speed, "direct", 0.8, "curl to disk"),
    { ...atMostTimes(processor, "curlHash", 1.5), wanted: "processor <= 1.5x curl plus hash" },
  ];
}

export function nameOf(what: string, blob: Content, clients: number): string {
  return `${what} (${blob.size / 2 ** 20} MiB), ${clients} client${clients === 1 ? "" : "s"}`;
}
