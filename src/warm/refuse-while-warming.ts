/** Owns the refusal to remove what a running warm-up brings in: both would undo what the other does. */
import { GranaryError } from "../errors.ts";
import type { JobRecord } from "../jobs/job.ts";
import { asObject } from "../oci/json-value.ts";
import { globMatches, pathMatches } from "../routing/glob.ts";
import type { NamePattern } from "../routing/name-pattern.ts";
import { type PullName, parsePullName } from "../routing/pull-name.ts";
import type { RoutedUpstream } from "../routing/routing.ts";
import { WARM_JOB } from "./warm-job.ts";

/** Throws `conflict` where one of `jobs` is a running warm-up of something that `pattern` stands for. */
export function refuseWhileWarming(
  pattern: NamePattern,
  jobs: readonly JobRecord[],
  upstreams: Iterable<RoutedUpstream>,
): void {
  const known = [...upstreams];
  const warming = jobs.filter(({ kind, state }) => kind === WARM_JOB && state === "running");
  if (warming.length === 0) return;
  const other = warming.find(({ input }) => namesOf(input, known).some((name) => meets(pattern, name)));
  if (other === undefined) return;
  const way = `granary jobs stop ${other.id}`;
  const sentence = `Job ${other.id} (${other.title}) brings in what this would remove: wait for it, or stop it with ${way}.`;
  throw new GranaryError("conflict", sentence);
}

function namesOf(input: unknown, upstreams: readonly RoutedUpstream[]): PullName[] {
  const references = asObject(input)?.references;
  if (!Array.isArray(references)) return [];
  return references.flatMap((each) => unlessRefused(() => parsePullName(String(each), upstreams)) ?? []);
}

/** Two patterns of tags may meet, and are taken to do so. */
function meets({ upstream, repository, tag }: NamePattern, name: PullName): boolean {
  if (!globMatches(upstream, name.upstream) || !pathMatches(repository, name.repository)) return false;
  return tag === undefined || !("tag" in name) || globMatches(tag, name.tag);
}

function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // Who acts on it says what is wrong with it.
  }
}
