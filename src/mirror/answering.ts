/**
 * Owns how a Target is answered: its upstream is found, what may not pass is refused, permission is checked before anything is looked up,
 * and then the part that has such answers is asked. It looks up nothing itself.
 */
import { GranaryError } from "../errors.ts";
import type { Wanting } from "../purpose.ts";
import type { BlobTarget, ManifestTarget, Target } from "../routing/target.ts";
import type { ReadableBlob } from "../source.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import type { Access, GuardedQuestion } from "./access/access.ts";
import type { Links } from "./access/links.ts";
import type { Blobs } from "./blobs/blobs.ts";
import type { CurrentUpstreams } from "./current-upstreams.ts";
import type { ImportedReferrers } from "./lists/imported-referrers.ts";
import { digestsIn } from "./lists/list-items.ts";
import { onlyTags } from "./lists/only-tags.ts";
import type { Referrers } from "./lists/referrers.ts";
import type { TagLists } from "./lists/tag-lists.ts";
import { sentTypes } from "./manifests/accept.ts";
import { listedIn } from "./manifests/manifest-bytes.ts";
import type { Manifests } from "./manifests.ts";
import type { Asker, FoundBlob, ListAnswer, ManifestAsker, Mirror } from "./mirror.ts";
import type { Cooldown } from "./rules/cooldown.ts";
import type { Passage } from "./rules/passage.ts";

export type AnsweringParts = {
  readonly upstreams: Pick<CurrentUpstreams, "hold" | "now">;
  readonly access: Pick<Access, "answer" | "isOpenTo">;
  readonly passage: Passage;
  readonly cooldown: Pick<Cooldown, "isCooling">;
  readonly links: Links;
  readonly manifests: Manifests;
  readonly blobs: Blobs;
  readonly tagLists: TagLists;
  readonly referrers: Referrers;
  readonly importedReferrers: ImportedReferrers;
};

/** The methods of a Mirror that take a Target; see there for what they throw. */
export type Answers = Pick<
  Mirror,
  "manifestAtOnce" | "manifest" | "headManifest" | "blob" | "statBlob" | "tags" | "referrers"
> & {
  /** From now on every answer is `closed`. */
  close(): void;
};

export function answering(parts: AnsweringParts): Answers {
  const answerer = new Answerer(parts);
  return {
    ...manifestAnswers(parts, answerer),
    ...blobAnswers(parts, answerer),
    ...listAnswers(parts, answerer),
    close: () => answerer.close(),
  };
}

/** What every Target passes. */
class Answerer {
  readonly #parts: AnsweringParts;
  #isClosed = false;

  constructor(parts: AnsweringParts) {
    this.#parts = parts;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** The client of the target's upstream, where no rule and no permission has to be looked up before this asker is answered. */
  openTo(target: Target, asker: Asker): UpstreamClient | undefined {
    const { upstreams, passage, access } = this.#parts;
    if (this.#isClosed || passage.hasRules) return undefined;
    const client = upstreams.now(target.upstream);
    return client !== undefined && access.isOpenTo(client, asker) ? client : undefined;
  }

  /**
   * The answer of the target's upstream, as far as the asker may see it. An answer that needs the upstream's client for longer is given
   * on by `keep`, with what is to be called when it is over.
   */
  async answer<T>(
    target: Target,
    asker: Asker,
    question: GuardedQuestion<T>,
    keep?: (answer: T, whenOver: () => void) => T,
  ): Promise<T> {
    const { upstreams, passage, access } = this.#parts;
    if (this.#isClosed) throw new GranaryError("closed", "Granary is shutting down.");
    const held = upstreams.hold(target.upstream);
    if (held === undefined)
      throw new GranaryError("route-unknown", `No upstream "${target.upstream}" is configured.`);
    let isKept = false;
    try {
      if (passage.hasRules) await passage.check(target);
      const answer = await access.answer(held.client, target, asker, question);
      isKept = keep !== undefined;
      return keep === undefined ? answer : keep(answer, held.release);
    } finally {
      if (!isKept) held.release();
    }
  }
}

function manifestAnswers(
  { manifests, passage }: AnsweringParts,
  answerer: Answerer,
): Pick<Mirror, "manifestAtOnce" | "manifest" | "headManifest"> {
  const passing = <T>(asked: Promise<T>, leave: (answer: T) => void): Promise<T> =>
    passage.hasRules ? leaving(asked, leave) : asked;
  return {
    manifestAtOnce: (target, ask, isHead) => {
      const client = answerer.openTo(target, ask);
      return client && manifests.atOnce(client, target, ask, isHead);
    },
    manifest: (target, ask) => {
      const get = (client: UpstreamClient, meant: ManifestTarget) =>
        passing(manifests.get(client, meant, ask), ({ manifest }) =>
          passage.leave(target, manifest.digest, listedIn(manifest)),
        );
      return answerer.answer(target, ask, {
        ...manifestQuestion(target, ask, get),
        digest: ({ manifest }) => manifest.digest,
        listed: ({ manifest }) => listedIn(manifest),
      });
    },
    headManifest: (target, ask) => {
      const head = (client: UpstreamClient, meant: ManifestTarget) =>
        passing(manifests.head(client, meant, ask), ({ digest }) => passage.leave(target, digest, []));
      return answerer.answer(target, ask, {
        ...manifestQuestion(target, ask, head),
        digest: ({ digest }) => digest,
      });
    },
  };
}

/** `find` answers for `target`, or for another manifest of its repository. */
function manifestQuestion<T>(
  target: ManifestTarget,
  { accept }: ManifestAsker,
  find: (client: UpstreamClient, meant: ManifestTarget) => Promise<T>,
): Pick<GuardedQuestion<T>, "run" | "runAt" | "accept"> {
  return {
    run: (client) => find(client, target),
    runAt: (client, digest) => find(client, { ...target, reference: { digest } }),
    accept: () => sentTypes(accept),
  };
}

async function leaving<T>(asked: Promise<T>, leave: (answer: T) => void): Promise<T> {
  const answer = await asked;
  leave(answer);
  return answer;
}

function blobAnswers(
  { blobs, links, cooldown }: AnsweringParts,
  answerer: Answerer,
): Pick<Mirror, "blob" | "statBlob" | "blobAddress"> {
  const admitted = <T>(target: BlobTarget, run: () => Promise<T>): Promise<T> =>
    cooldown.isCooling(target.upstream) ? admitBlob(links, target).then(run) : run();
  return {
    blob: (target, asker) => {
      const question: GuardedQuestion<FoundBlob> = {
        run: (client) => admitted(target, () => blobs.open(client, target, wantingOf(target, asker))),
        digest: () => target.digest,
        drop: ({ blob }) => blob.release(),
      };
      return answerer.answer(target, asker, question, releasingBoth);
    },
    ...(blobs.hasAddresses && {
      blobAddress: (target: BlobTarget, asker: Asker) =>
        answerer.answer(target, asker, {
          run: (client) => admitted(target, () => blobs.address(client, target)),
          digest: () => target.digest,
        }),
    }),
    statBlob: (target, asker) =>
      answerer.answer(target, asker, {
        run: (client) => admitted(target, () => blobs.stat(client, target)),
        digest: () => target.digest,
      }),
  };
}

function listAnswers(
  { tagLists, referrers, importedReferrers, passage }: AnsweringParts,
  answerer: Answerer,
): Pick<Mirror, "tags" | "referrers"> {
  return {
    tags: (target, asker) =>
      answerer.answer(target, asker, {
        run: async (client) => {
          const filter = passage.tagFilter(target);
          const list = await tagLists.get(client, target);
          return filter === undefined ? list : await onlyTags(list, filter);
        },
        ...LIST,
      }),
    referrers: (target, asker) =>
      importedReferrers.with(target, () =>
        answerer.answer(target, asker, {
          run: async (client) => {
            const list = await referrers.get(client, target, asker);
            // One that cannot be read leads nowhere, and is handed on as it is.
            if (passage.isConcerned(target))
              passage.attach(target, target.digest, await digestsIn(list.body).catch(() => []));
            return list;
          },
          ...LIST,
        }),
      ),
  };
}

const LIST = {
  digest: () => undefined,
  drop: ({ release }: ListAnswer) => release(),
  storedAt: ({ outcome, checkedAt }: ListAnswer) => (outcome === "stale" ? checkedAt : undefined),
};

/** Where new content has to wait, a blob passes as part of what was let through. */
async function admitBlob(links: Links, target: BlobTarget): Promise<void> {
  const { upstream, repository, digest } = target;
  if ((await links.find(target, digest)) !== undefined) return;
  const name = `${upstream}/${repository}@${digest}`;
  const reason = `is part of nothing that was let through there (upstreams.${upstream}.cooldown)`;
  throw new GranaryError("denied", `${name} ${reason}.`, { target: name });
}

function wantingOf({ repository }: Target, { purpose = "waited", client, tag, pull }: Asker): Wanting {
  return { purpose, serves: { repository, client, tag, pull } };
}

/** While the blob is read, its upstream's client is needed too. */
function releasingBoth({ blob, outcome }: FoundBlob, whenOver: () => void): FoundBlob {
  const { digest, size } = blob;
  let isHeld = true;
  const release = () => {
    if (isHeld) whenOver();
    isHeld = false;
    blob.release();
  };
  const reader: ReadableBlob["reader"] = (range, ahead) => blob.reader(range, ahead);
  return { blob: { digest, size, reader, release }, outcome };
}
