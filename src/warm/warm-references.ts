/**
 * Owns bringing in one reference after another, each to a line of the result: what does not exist is a line that failed, and the next one has
 * its turn. It decides neither when, nor how its progress is shown.
 */
import { GranaryError, messageOf } from "../errors.ts";
import type { ManifestAnswer } from "../mirror/mirror.ts";
import type { Clock } from "../observe/clock.ts";
import { parseDigest } from "../oci/digest.ts";
import { parsePlatform } from "../oci/platform.ts";
import type { PullName } from "../routing/pull-name.ts";
import type { ManifestTarget } from "../routing/target.ts";
import { throwIfAborted } from "../waiting/abort.ts";
import { bringBlobs } from "./bring.ts";
import { untilUnlimited, waitForBudget } from "./pull-budget.ts";
import { tagsOf } from "./tags-of.ts";
import { type WantedContent, wantedContent } from "./wanted.ts";
import type { WarmAsk } from "./warm-ask.ts";
import { asStrangerFirst, type WarmAsker, type WarmMirror } from "./warm-mirror.ts";
import type { WarmLine } from "./warm-result.ts";

export type WarmWork = {
  readonly mirror: WarmMirror;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  readonly ask: Pick<WarmAsk, "platforms" | "attestations">;
  /** False where nobody wants to wait until a registry gives more pulls; true when left out. */
  readonly isPatient?: boolean;
};

export type FoundReference = {
  readonly target: ManifestTarget;
  readonly wanted: WantedContent;
  /** As whom its blobs are asked for. */
  readonly asker: WarmAsker;
  /** Manifests that had to be fetched. */
  readonly fetched: number;
};

/** The targets that `name` stands for. Throws `not-found` where no tag matches, and what the upstream answers. */
export async function targetsOf(name: PullName, { mirror, signal }: WarmWork): Promise<ManifestTarget[]> {
  const { upstream, repository } = name;
  const at = (reference: ManifestTarget["reference"]) =>
    ({ kind: "manifest", upstream, repository, reference }) as const;
  if ("digest" in name) return [at({ digest: parseDigest(name.digest) })];
  if ("tag" in name) return [at({ tag: name.tag })];
  return (await tagsOf(mirror, name, signal)).map((tag) => at({ tag }));
}

/** What `target` needs; its manifests are here after that. Waits while its registry limits pulls. */
export async function findReference(target: ManifestTarget, work: WarmWork): Promise<FoundReference> {
  const { signal, ask } = work;
  const platforms = ask.platforms.map(parsePlatform);
  let fetched = 0;
  const { answer, asker } = await asStrangerFirst((as) =>
    wantedContent(target, { ...ask, platforms }, async (at) => {
      throwIfAborted(signal, "the warm-up");
      const found = await manifestAt(at, as, work);
      if (found.outcome === "miss") fetched += 1;
      if (found.warning !== undefined) work.note(`${targetName(at)}: ${found.warning}`);
      return found.manifest;
    }),
  );
  return { target, wanted: answer, asker, fetched };
}

async function manifestAt(at: ManifestTarget, as: WarmAsker, work: WarmWork): Promise<ManifestAnswer> {
  const ask = () => work.mirror.manifest(at, as);
  if (work.isPatient === false) return await ask();
  return await untilUnlimited(async () => {
    await waitForBudget(budgetOf(at, as, work));
    return await ask();
  }, work);
}

/** Brings in what was found. Never rejects but with `aborted`. */
export async function warmReference(
  target: ManifestTarget,
  work: WarmWork,
  onBytes: (count: number, isNew: boolean) => void,
  onFound: (found: FoundReference) => Promise<void>,
): Promise<WarmLine> {
  const reference = targetName(target);
  const sums = { brought: 0, here: 0 };
  const count = (bytes: number, isNew: boolean) => {
    sums[isNew ? "brought" : "here"] += bytes;
    onBytes(bytes, isNew);
  };
  try {
    const found = await findReference(target, work);
    await onFound(found);
    const { wanted, asker } = found;
    await bringBlobs(target, wanted.blobs, {
      mirror: work.mirror,
      asker,
      signal: work.signal,
      onBytes: count,
    });
    const outcome = sums.brought === 0 && found.fetched === 0 ? "here" : "brought";
    const { digest, lacks } = wanted;
    const more = {
      ...(asker.loggedIn && { isPrivate: true }),
      ...(lacks !== undefined && { reason: `It ${lacks}.` }),
    };
    return { reference, outcome, digest, ...sums, ...more };
  } catch (error) {
    throwIfAborted(work.signal, "the warm-up");
    return { reference, outcome: "failed", ...sums, reason: messageOf(error) };
  }
}

/** "docker.io/library/alpine:3.22". */
export function targetName({ upstream, repository, reference }: ManifestTarget): string {
  return `${upstream}/${repository}${"tag" in reference ? `:${reference.tag}` : `@${reference.digest}`}`;
}

/** Of one upstream; a HEAD of what is asked for shows it anew and costs no pull. */
function budgetOf(target: ManifestTarget, asker: WarmAsker, { mirror, clock, signal, note }: WarmWork) {
  const budget = async () =>
    (await mirror.status()).upstreams.find(({ name }) => name === target.upstream)?.rateLimit;
  return { clock, signal, note, budget, look: () => mirror.headManifest(target, asker) };
}

/** A warm-up that is larger than all of the budget would evict its own beginning. */
export function refuseTooLarge(bytes: number, budget: number): void {
  if (bytes <= budget) return;
  const text = `The warm-up is larger than the whole cache may be (storage.maxSize): this one was left out, so that it pushes out no other.`;
  throw new GranaryError("store-full", text, { expected: budget, found: bytes });
}
