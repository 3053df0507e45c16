/**
 * Owns what a warm-up would do, told before it is done: bytes to fetch, bytes that are here already, and what its manifests cost where a registry
 * counts pulls. To tell sizes it fetches the manifests that are not here yet; they stay, so the warm-up itself does not fetch them again.
 */
import { messageOf } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { Digest } from "../oci/digest.ts";
import { parsePullName } from "../routing/pull-name.ts";
import type { UpstreamStatus } from "../upstream/upstream-client.ts";
import { isLow } from "./pull-budget.ts";
import type { WarmAsk } from "./warm-ask.ts";
import type { WarmParts } from "./warm-job.ts";
import { findReference, targetName, targetsOf, type WarmWork } from "./warm-references.ts";

type PreviewLine = {
  readonly reference: string;
  /** `here`: nothing is to be fetched. `fetch`: see `bytes`. `failed`: see `reason`. */
  readonly outcome: "here" | "fetch" | "failed";
  /** Bytes of blobs that are not here, and those that are; of a blob that has come in part, each of its parts. */
  readonly toFetch: number;
  readonly here: number;
  readonly reason?: string;
};

type PullCost = {
  readonly upstream: string;
  /** Manifests that were fetched to tell this; each counts as a pull where pulls are counted. */
  readonly manifests: number;
  /** As the registry told it last; absent where it counts nothing. */
  readonly limit?: number;
  readonly remaining?: number;
};

export type WarmPreview = {
  readonly lines: readonly PreviewLine[];
  readonly leftOut: number;
  /** Blobs that several references share count once. */
  readonly bytes: { readonly toFetch: number; readonly here: number };
  readonly pulls: readonly PullCost[];
  /** Of the cache: a warm-up that is larger than this is not brought in as a whole. */
  readonly budget: number;
};

type PartOfBlob = {
  readonly digest: Digest;
  /** undefined: of no upstream that can be told. */
  readonly upstream: string | undefined;
  /** Bytes that are here. */
  readonly present: number;
};

export type PreviewParts = WarmParts & {
  /** Whether the blob is here whole. */
  readonly isHere: (digest: Digest) => Promise<boolean>;
  /** Blobs of which a part is here, and which nobody fetches now. */
  readonly partials: () => Promise<readonly PartOfBlob[]>;
};

const MOST_LINES = 500;

/** Throws `aborted`; what is wrong with a reference is its line. It does not wait for a registry that limits us. */
export async function previewWarm(
  parts: PreviewParts,
  ask: WarmAsk,
  signal: AbortSignal,
): Promise<WarmPreview> {
  const work: WarmWork = { ...parts, signal, note: () => undefined, ask, isPatient: false };
  const lines: PreviewLine[] = [];
  const seen = new Set<string>();
  const begun = await begunBlobs(parts);
  const sums = { toFetch: 0, here: 0 };
  const manifests = new Map<string, number>();
  for (const text of ask.references) {
    try {
      for (const target of await targetsOf(parsePullName(text, parts.upstreams()), work)) {
        const reference = targetName(target);
        try {
          const { wanted, fetched } = await findReference(target, work);
          manifests.set(target.upstream, (manifests.get(target.upstream) ?? 0) + fetched);
          const own = { toFetch: 0, here: 0 };
          for (const { digest, size = 0 } of wanted.blobs) {
            const present = (await parts.isHere(digest))
              ? size
              : Math.min(size, begun.get(keyOf(target.upstream, digest)) ?? 0);
            const of = [own, ...(seen.has(digest) ? [] : [sums])];
            for (const sum of of) sum.here += present;
            for (const sum of of) sum.toFetch += size - present;
            seen.add(digest);
          }
          const { lacks } = wanted;
          const outcome = own.toFetch === 0 ? "here" : "fetch";
          lines.push({ reference, outcome, ...own, ...(lacks !== undefined && { reason: `It ${lacks}.` }) });
        } catch (error) {
          lines.push(failed(reference, error, signal));
        }
      }
    } catch (error) {
      lines.push(failed(text, error, signal));
    }
  }
  const { upstreams, disk } = await parts.mirror.status();
  const kept = lines.toSorted((a, b) => Number(b.outcome === "failed") - Number(a.outcome === "failed"));
  return {
    lines: kept.slice(0, MOST_LINES),
    leftOut: Math.max(0, kept.length - MOST_LINES),
    bytes: sums,
    pulls: costsOf(manifests, upstreams),
    budget: disk.budget,
  };
}

/** Bytes that are here of unfinished blobs; what one upstream began, a transfer of another does not go on with. */
async function begunBlobs({ mirror, partials }: PreviewParts): Promise<ReadonlyMap<string, number>> {
  const { fills } = await mirror.status();
  const all = [...(await partials()), ...fills];
  return new Map(all.map(({ upstream, digest, present }) => [keyOf(upstream, digest), present]));
}

function keyOf(upstream: string | undefined, digest: Digest): string {
  return `${upstream ?? ""}\n${digest}`;
}

function failed(reference: string, error: unknown, signal: AbortSignal): PreviewLine {
  if (signal.aborted) throw error;
  return { reference, outcome: "failed", toFetch: 0, here: 0, reason: messageOf(error) };
}

function costsOf(manifests: ReadonlyMap<string, number>, upstreams: readonly UpstreamStatus[]): PullCost[] {
  return [...manifests].map(([upstream, count]) => {
    const seen = upstreams.find(({ name }) => name === upstream)?.rateLimit;
    const { limit, remaining } = seen ?? {};
    return { upstream, manifests: count, ...(limit !== undefined && { limit, remaining: remaining ?? 0 }) };
  });
}

/** Whether manifests of `upstream` should be fetched for nobody but those who wait. */
export async function sparesPulls(
  { mirror, clock }: { readonly mirror: Pick<WarmParts["mirror"], "status">; readonly clock: Clock },
  upstream: string,
): Promise<boolean> {
  const { upstreams } = await mirror.status();
  return isLow(upstreams.find(({ name }) => name === upstream)?.rateLimit, clock.now());
}
