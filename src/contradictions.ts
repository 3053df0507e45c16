/**
 * Owns which long work contradicts which: what brings names in or carries them away, and what removes them. Only what speaks of the same names
 * does; all else runs side by side. What a job speaks of is read from what it was started with. Starts and stops nothing.
 */
import type { JobRecord } from "./jobs/job.ts";
import { asObject, textOf } from "./oci/json-value.ts";
import { globsMeet, pathsMeet } from "./routing/glob.ts";
import { type NamePattern, parsePattern } from "./routing/name-pattern.ts";
import { parsePullName } from "./routing/pull-name.ts";
import type { RoutedUpstream } from "./routing/routing.ts";

/** Work that is about to begin. */
export type NewWork = { readonly kind: string; readonly input: unknown };

type Names = Pick<NamePattern, "upstream" | "repository" | "tag">;

/** What the running job does, as far as it matters to what is to begin: [kind that begins, kind that runs, what that does]. */
const CONTRADICTIONS = [
  ["remove", "warm", "brings in what this would remove"],
  ["remove", "import", "brings in what this would remove"],
  ["remove", "export", "reads what this would remove"],
  ["remove", "remove", "removes the same"],
  ["warm", "remove", "removes what this would bring in"],
  ["import", "remove", "removes what this would bring in"],
  ["export", "remove", "removes what this would read"],
] as const;

/** A sentence that names the job of `jobs` that runs and contradicts `work`, with what to do; undefined where none does. */
export function contradictionOf(
  work: NewWork,
  jobs: readonly JobRecord[],
  upstreams: Iterable<RoutedUpstream>,
): string | undefined {
  const known = [...upstreams];
  const own = namesOf(work, known);
  for (const job of jobs) {
    if (job.state !== "running") continue;
    const does =
      sameWork(work, job) ?? CONTRADICTIONS.find(([a, b]) => a === work.kind && b === job.kind)?.[2];
    if (does === undefined) continue;
    if (
      sameWork(work, job) === undefined &&
      !namesOf(job, known).some((name) => own.some((one) => meets(one, name)))
    )
      continue;
    return `Job ${job.id} (${job.title}) ${does}: wait for it (granary jobs follow ${job.id}), or stop it with granary jobs stop ${job.id}.`;
  }
  return undefined;
}

/** Two of a kind that would do the same twice, whatever names they speak of. */
function sameWork({ kind, input }: NewWork, job: JobRecord): string | undefined {
  if (kind !== job.kind) return undefined;
  if (kind === "evict") return "makes room already";
  const from = textOf(asObject(input)?.from);
  const isSameFile = kind === "import" && from !== undefined && from === asObject(job.input)?.from;
  return isSameFile ? "imports the same" : undefined;
}

/** What cannot be read speaks of nothing here: whoever acts on it says what is wrong with it. */
function namesOf({ kind, input }: NewWork, upstreams: readonly RoutedUpstream[]): Names[] {
  const fields = asObject(input);
  const texts = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);
  const pattern = (text: string) => unlessRefused(() => parsePattern(text, upstreams));
  const pulled = (text: string) => {
    const name = unlessRefused(() => parsePullName(text, upstreams));
    return name && { ...name, tag: "tag" in name ? name.tag : undefined };
  };
  switch (kind) {
    case "warm":
      return texts(fields?.references).flatMap((text) => pulled(text) ?? []);
    case "export":
      return texts(fields?.patterns).flatMap((text) => pattern(text) ?? []);
    case "import":
      return texts([fields?.as]).flatMap((text) => pulled(text) ?? []);
    case "remove":
      return texts([fields?.pattern]).flatMap((text) => pattern(text) ?? []);
    default:
      return [];
  }
}

/** Whether there can be a name that both stand for. */
function meets(one: Names, other: Names): boolean {
  if (!globsMeet(one.upstream, other.upstream) || !pathsMeet(one.repository, other.repository)) return false;
  return one.tag === undefined || other.tag === undefined || globsMeet(one.tag, other.tag);
}

function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
