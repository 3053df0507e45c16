/** Owns the simplest cold client there is: curl to a file on the same disk, with and without a look at the digest. */
import { rmSync } from "node:fs";
import { performance } from "node:perf_hooks";
import type { Content } from "../material.ts";
import { runCommand } from "./children.ts";
import { processorPerGib } from "./processor-time.ts";
import type { UpstreamAddress } from "./upstream.ts";

/** What one run took: seconds, and seconds of the processor for each GiB. */
type Fetched = { readonly seconds: number; readonly processor: number };

/** The file is removed. Throws when curl fails or is not installed. */
export function fetchToDisk(from: UpstreamAddress, content: Content, target: string): Promise<Fetched> {
  return timed(content, target, () =>
    runCommand("curl", [...argumentsFor(from, content), "--output", target]),
  );
}

/** The same, and OpenSSL's hash in a pipe beside it (sha256sum takes several times as long); throws when it is not what was asked for. */
export function fetchAndHash(from: UpstreamAddress, content: Content, target: string): Promise<Fetched> {
  const pipe = 'target=$1; shift; set -o pipefail; curl "$@" | tee "$target" | openssl dgst -sha256 -r';
  return timed(content, target, async () => {
    const printed = await runCommand("bash", ["-c", pipe, "bash", target, ...argumentsFor(from, content)]);
    const found = `sha256:${printed.split(" ")[0]}`;
    if (found !== content.digest) throw new Error(`${content.path} came back as ${found}`);
  });
}

function argumentsFor({ url, caFile }: UpstreamAddress, { path }: Content): string[] {
  const trust = caFile === undefined ? [] : ["--cacert", caFile];
  return ["--silent", "--show-error", "--fail", ...trust, `${url}${path}`];
}

async function timed(content: Content, target: string, fetch: () => Promise<unknown>): Promise<Fetched> {
  const { processor, seconds } = await processorPerGib("reaped", async () => {
    const startedAt = performance.now();
    await fetch();
    return { seconds: (performance.now() - startedAt) / 1000, bytes: content.size };
  });
  rmSync(target);
  return { seconds, processor };
}
