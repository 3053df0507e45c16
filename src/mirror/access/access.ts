/**
 * Owns which repositories a client may see (docs/protocol.md#private-content): what only we can read, by our login or certificate, is
 * for clients that logged in to Granary, or to which the registry gives it by a login of their own. To all others private and absent look the
 * same: the same answer, after the same questions. Which digests a repository contains is for links.ts.
 */
import { LRUCache } from "lru-cache";
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { Metadata, RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Target } from "../../routing/target.ts";
import type { Permission, UpstreamClient } from "../../upstream/upstream-client.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";
import { NegativeAnswers } from "../absence/negative-answers.ts";
import { notFound } from "../absence/not-found.ts";
import type { Asker } from "../mirror.ts";
import { HeldBack } from "../rules/cooldown.ts";
import { Confirmations, type Shown } from "./confirmations.ts";
import { isForAll } from "./everybodys.ts";
import { Hidden, Strangers, Untold, untoldOf } from "./strangers.ts";
import { Visit, type VisitParts } from "./visit.ts";

/** What is asked for, and what its answer gives away. */
export type GuardedQuestion<T> = {
  readonly run: (client: UpstreamClient) => Promise<T>;
  /** The document or blob that is given out; undefined for a list. */
  readonly digest: (answer: T) => Digest | undefined;
  /** What a document lists that is given out. */
  readonly listed?: (answer: T) => readonly Digest[];
  /** For a list that the upstream was not asked for now: when it gave that list (epoch ms). */
  readonly storedAt?: (answer: T) => number | undefined;
  /** Called with an answer that is not given out. */
  readonly drop?: (answer: T) => void;
  /** Of a manifest: the same answer for the manifest `digest`, whatever a tag means here. */
  readonly runAt?: (client: UpstreamClient, digest: Digest) => Promise<T>;
  /** Of a manifest: the media types by which its registry is asked whether this client may have it. */
  readonly accept?: () => readonly string[];
};

type Asked<T> = {
  readonly client: UpstreamClient;
  readonly target: Target;
  readonly question: GuardedQuestion<T>;
};

export class Access {
  readonly #parts: VisitParts;
  readonly #absent: NegativeAnswers;
  readonly #confirmations: Confirmations;

  constructor(
    metadata: Metadata,
    clock: Clock,
    holds: VisitParts["holds"],
    isImported: VisitParts["isImported"],
  ) {
    const strangers = new Strangers(metadata, clock);
    this.#parts = {
      metadata,
      clock,
      strangers,
      holds,
      isImported,
      unclear: new LRUCache({ ...mostEntries(10_000), ...expiringBy(clock) }),
    };
    this.#absent = new NegativeAnswers(clock);
    this.#confirmations = new Confirmations(clock);
  }

  /** Something was brought in from elsewhere: that it is not there is believed no more. */
  imported(): void {
    this.#absent.clear();
  }

  /**
   * The answer of `question`, if `asker` may see it. Throws what `question` throws, `not-found` for what the asker may not see, and the failure
   * because of which the upstream could not tell whether he may.
   */
  async answer<T>(
    client: UpstreamClient,
    target: Target,
    asker: Asker,
    question: GuardedQuestion<T>,
  ): Promise<T> {
    if (this.isOpenTo(client, asker)) return await unlessShared(() => question.run(client));
    const asked = { client, target, question };
    const { authorization } = asker;
    if (authorization === undefined || authorization === "") return await this.#toStranger(asked);
    return await this.#toShower(asked, { authorization, accept: question.accept?.() ?? [] });
  }

  /** Whether this asker sees all that the upstream has, so that nothing needs to be asked before an answer. */
  isOpenTo(client: UpstreamClient, asker: Asker): boolean {
    return isForAll(client) || asker.loggedIn;
  }

  /** What strangers were given of these counts no more: they were removed, and are looked at anew when they come again. */
  forget(where: RepositoryKey, digests: readonly Digest[]): void {
    this.#parts.strangers.forget(where, digests);
  }

  async #toStranger<T>(asked: Asked<T>): Promise<T> {
    const { client, target } = asked;
    const key = keyOf(target);
    this.#absent.check(key);
    try {
      return await this.#visited(asked);
    } catch (error) {
      if (!(error instanceof Hidden) && !isGranaryError(error, "not-found")) throw error;
      throw this.#absent.remember(key, client.upstream.policy.negativeLifetimeMs, unseen(target));
    }
  }

  /** As a stranger first: of what everybody may have, no registry is asked with a client's login. */
  async #toShower<T>(asked: Asked<T>, shown: Shown): Promise<T> {
    const { client, target } = asked;
    const known = this.#confirmations.remembered(target, shown);
    if (known?.mayRead === true) return await this.#confirmed(asked, shown, known);
    try {
      return await this.#toStranger(asked);
    } catch (error) {
      // Where the registry said nothing to strangers, it is not asked once more.
      const isSaid = isGranaryError(error, "not-found") || (error instanceof Untold && error.isAnswered);
      if (!isSaid) throw error;
      const permission = await this.#confirm(client, target, shown);
      if (!permission.mayRead) throw error;
      return await this.#confirmed(asked, shown, permission);
    }
  }

  async #confirm(client: UpstreamClient, target: Target, shown: Shown): Promise<Permission> {
    try {
      return await this.#confirmations.confirm(client, target, shown);
    } catch (error) {
      throw untoldOf(target, error);
    }
  }

  /** The answer for a client that may read this one thing: of a tag, the manifest that its registry told this client, and no older one. */
  async #confirmed<T>(asked: Asked<T>, shown: Shown, { digest: told }: Permission): Promise<T> {
    const { client, target, question } = asked;
    const { runAt } = question;
    const answer = await unlessShared(() => question.run(client));
    const found = question.digest(answer);
    if (told === undefined || runAt === undefined || found === undefined || found === told) return answer;
    try {
      return await unlessShared(() => runAt(client, told));
    } catch (error) {
      // What is too new has to wait here; the older one is another thing, and the registry is asked about it too.
      if (!(error instanceof HeldBack)) throw error;
      const older = { ...target, kind: "manifest", reference: { digest: found } } as const;
      if (!(await this.#confirm(client, older, shown)).mayRead) throw error;
      return answer;
    }
  }

  async #visited<T>({ client, target, question }: Asked<T>): Promise<T> {
    const visit = new Visit(this.#parts, client, target);
    await visit.enter();
    const answer = await question.run(visit.client);
    try {
      const storedAt = question.storedAt?.(answer);
      await visit.leave(question.digest(answer), storedAt, () => question.listed?.(answer) ?? []);
    } catch (error) {
      question.drop?.(answer);
      throw error;
    }
    return answer;
  }
}

/** Somebody who may see everything may share a question with somebody who may not: when that was refused, it is asked again. */
async function unlessShared<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Hidden)) throw error;
    return await run();
  }
}

/** One sentence for what is not there and for what is private. */
function unseen(target: Target): GranaryError {
  const { message, facts } = notFound(target, namedIn(target));
  const advice =
    "What only Granary's own login can read is shown to clients that log in to it, or that show a login of the registry.";
  return new GranaryError("not-found", `${message} ${advice}`, facts);
}

function namedIn(target: Target): string {
  if (target.kind === "tags") return "tags/list";
  if (target.kind !== "manifest") return target.digest;
  return "tag" in target.reference ? target.reference.tag : target.reference.digest;
}

function keyOf(target: Target): string {
  return `${target.kind}\n${target.upstream}\n${target.repository}\n${namedIn(target)}`;
}
