/**
 * Owns the exact bytes of manifests by digest: they are looked for among what is stored (stored-manifests.ts), then at the upstream. It
 * never stores a document whose digest or shape is wrong, and never gives one out through a repository that does not contain it.
 */
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { SharedTurns } from "../../fleet/turns.ts";
import type { Metadata, RepositoryKey } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import { algorithmOf, type Digest } from "../../oci/digest.ts";
import type { ToldError } from "../../oci/error-body.ts";
import { checkManifest, type Manifest, toldHead } from "../../oci/manifest.ts";
import { MANIFEST_UNION } from "../../oci/media-types.ts";
import { payloadDigestOf } from "../../oci/schema1.ts";
import type { EventTeller } from "../../records/events.ts";
import type { ManifestHead } from "../../source.ts";
import { type Absence, hearAbsence, unlessHidden } from "../../upstream/registry/absence.ts";
import type { ManifestBody, UpstreamClient } from "../../upstream/upstream-client.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";
import { NegativeAnswers } from "../absence/negative-answers.ts";
import { notFound } from "../absence/not-found.ts";
import type { Links } from "../access/links.ts";
import type { Cooldown } from "../rules/cooldown.ts";
import type { Damage } from "../space/damage.ts";
import type { Uses } from "../space/uses.ts";
import { acceptClassOf } from "./accept.ts";
import { ownFacts } from "./own-facts.ts";
import { type CachedManifest, StoredManifests } from "./stored-manifests.ts";

export type ManifestParts = {
  readonly metadata: Metadata;
  readonly links: Links;
  readonly uses: Uses;
  readonly clock: Clock;
  readonly damage: Damage;
  /** Hears of tags that move. */
  readonly events?: EventTeller;
  readonly cooldown: Cooldown;
  /** In a fleet: which node asks. */
  readonly turns?: SharedTurns | undefined;
};

export class ManifestBytes {
  readonly #parts: ManifestParts;
  readonly #stored: StoredManifests;
  readonly #absent: NegativeAnswers;
  readonly #fetches: SingleFlight<Manifest>;
  readonly #heads: SingleFlight<ManifestHead>;

  constructor(parts: ManifestParts) {
    this.#parts = parts;
    this.#stored = new StoredManifests(parts);
    this.#absent = new NegativeAnswers(parts.clock);
    this.#fetches = new SingleFlight(parts.clock);
    this.#heads = new SingleFlight(parts.clock);
  }

  /** Whether we have the bytes, whoever may see them. */
  async holds(digest: Digest): Promise<boolean> {
    return (await this.#stored.find(digest)) !== undefined;
  }

  /** Whether a registry names by `named` what we have as `digest`: a signed manifest of schema 1 is named by the digest of its payload. */
  async isPayload(digest: Digest, named: Digest): Promise<boolean> {
    const found = await this.#stored.find(digest);
    return found !== undefined && payloadDigestOf(found.manifest.bytes) === named;
  }

  /**
   * What we have, for a repository that is known to contain it. `called` is the type by which that repository's upstream called it: it
   * counts where the document itself states none. What another upstream called the same bytes never counts. undefined also where
   * neither tells the type.
   */
  async stored(digest: Digest, called: string | undefined): Promise<Manifest | undefined> {
    return calledManifest(await this.#stored.find(digest), called);
  }

  /** The same, as far as it is in memory. */
  remembered(digest: Digest, called: string | undefined): Manifest | undefined {
    return calledManifest(this.#stored.remembered(digest), called);
  }

  /** As `storedIn`, where all of that is in memory and nobody has to be asked. */
  rememberedIn(where: RepositoryKey, digest: Digest): Manifest | undefined {
    const confirmed = this.#parts.links.remembered(where, digest)?.confirmed;
    return confirmed && this.remembered(digest, confirmed.mediaType);
  }

  /** What we have, if the upstream has said that this repository contains it, or says so now (docs/protocol.md#private-content). */
  async storedIn(
    client: UpstreamClient,
    where: RepositoryKey,
    digest: Digest,
    userAgent: string | undefined,
    accept: readonly string[],
  ): Promise<Manifest | undefined> {
    if (!(await this.holds(digest))) return undefined;
    const confirmed = (await this.#parts.links.find(where, digest))?.confirmed;
    const { mediaType } = confirmed ?? (await this.head(client, where, digest, userAgent, accept));
    return await this.stored(digest, mediaType);
  }

  /** From the upstream, checked, stored; one fetch for everybody who asks meanwhile. */
  fetch(
    client: UpstreamClient,
    where: RepositoryKey,
    digest: Digest,
    userAgent: string | undefined,
    accept: readonly string[],
  ): Promise<Manifest> {
    const key = keyOf(where, digest, accept);
    const asked = `${key}\n${sentAgent(client, userAgent)}`;
    const ask = async () => {
      this.#absent.check(`GET ${key}`);
      this.#absent.check(`GET REFUSED ${asked}`);
      const absence = hearAbsence();
      const question = askOf(where, digest, accept, userAgent, absence);
      const answer = unlessHidden(client.getManifest(question), absence.onAbsent);
      const body = await this.#unlessRefused(client, `GET REFUSED ${asked}`, answer);
      if (body === undefined) throw this.#isAbsent(client, where, digest, `GET ${key}`, absence.told);
      return await this.record(where, body, digest, digest);
    };
    return this.#fetches.run(asked, () => this.#inTurn(client, where, digest, ask));
  }

  /** In a fleet one node fetches it, which Docker Hub counts as a pull, and the others are given what it has recorded. */
  #inTurn(
    client: UpstreamClient,
    where: RepositoryKey,
    digest: Digest,
    ask: () => Promise<Manifest>,
  ): Promise<Manifest> {
    const { turns, metadata } = this.#parts;
    if (turns === undefined) return ask();
    const look = async () => {
      // Not what is remembered of the link: another node may have recorded it since.
      const confirmed = (await metadata.link(where, digest))?.confirmed;
      return confirmed && (await this.stored(digest, confirmed.mediaType));
    };
    const key = `manifest\n${where.upstream}\n${where.repository}\n${digest}`;
    return turns.one({ key, ask, look, mostMs: client.upstream.policy.offlineDeadlineMs });
  }

  /** From the upstream, without bytes where that can be. */
  head(
    client: UpstreamClient,
    where: RepositoryKey,
    digest: Digest,
    userAgent: string | undefined,
    accept: readonly string[],
  ): Promise<ManifestHead> {
    const key = keyOf(where, digest, accept);
    const asked = `${key}\n${sentAgent(client, userAgent)}`;
    return this.#heads.run(asked, async () => {
      // A GET that found nothing answers a HEAD too. A HEAD that found nothing does not answer a GET: some registries answer only GET.
      this.#absent.check(`GET ${key}`);
      this.#absent.check(`HEAD ${key}`);
      this.#absent.check(`GET REFUSED ${asked}`);
      this.#absent.check(`HEAD REFUSED ${asked}`);
      const absence = hearAbsence();
      const ask = askOf(where, digest, accept, userAgent, absence);
      const answer = unlessHidden(client.headManifest(ask), absence.onAbsent);
      const head = await this.#unlessRefused(client, `HEAD REFUSED ${asked}`, answer);
      if (head === undefined) throw this.#isAbsent(client, where, digest, `HEAD ${key}`, absence.told);
      checkNamed(head, where, digest);
      const told = toldHead(head);
      // An answer without the digest may be a login page or a front end's own: only the bytes show what it is.
      if (told?.digest !== digest) return headOf(await this.fetch(client, where, digest, userAgent, accept));
      await this.confirm(where, told);
      return told;
    });
  }

  /** The upstream has named `head.digest` for something in this repository. */
  confirm(where: RepositoryKey, { digest, mediaType, size }: ManifestHead): Promise<void> {
    const said = { kind: "confirmed", digest, size, isMeasured: false, mediaType } as const;
    return this.#parts.links.record(where, said);
  }

  /** Checks an upstream's answer for the tag `tag`, and records nothing. Throws as `record`. */
  read({ upstream, repository }: RepositoryKey, body: ManifestBody, tag: string): Manifest {
    return checkManifest(body, `${upstream}/${repository}:${tag}`, undefined).manifest;
  }

  /** Checks an upstream's answer for `reference`, and records it. Throws `digest-mismatch`, `upstream-protocol`. */
  async record(
    { upstream, repository }: RepositoryKey,
    body: ManifestBody,
    reference: string,
    wanted?: Digest,
  ): Promise<Manifest> {
    const target = `${upstream}/${repository}${wanted === undefined ? ":" : "@"}${reference}`;
    const { manifest, links } = this.#checked({ upstream, repository }, body, target, wanted);
    await this.#parts.links.recordManifest({ upstream, repository }, manifest, links);
    this.#stored.add(manifest);
    return manifest;
  }

  #checked(
    { upstream, repository }: RepositoryKey,
    body: ManifestBody,
    target: string,
    wanted: Digest | undefined,
  ) {
    try {
      return checkManifest(body, target, wanted);
    } catch (error) {
      const text = `a manifest for ${target} came with wrong bytes: nothing of it is kept`;
      if (isGranaryError(error, "digest-mismatch"))
        this.#parts.events?.tell("digest-mismatch", text, { code: error.code, upstream, repository, target });
      throw error;
    }
  }

  /** Something was brought in from elsewhere: that it is not there is believed no more. */
  imported(): void {
    this.#absent.clear();
  }

  /** Its row was deleted. */
  forgetHere(digest: Digest): void {
    this.#stored.forgetHere(digest);
  }

  /** `digest` was just served. */
  served(digest: Digest): void {
    this.#stored.served(digest);
  }

  #unlessRefused<T>({ upstream }: UpstreamClient, key: string, answer: Promise<T>): Promise<T> {
    return this.#absent.unlessRefused(key, upstream.policy.negativeLifetimeMs, answer);
  }

  #isAbsent(
    client: UpstreamClient,
    where: RepositoryKey,
    digest: Digest,
    key: string,
    told: readonly ToldError[],
  ): GranaryError {
    const lifetimeMs = client.upstream.policy.negativeLifetimeMs;
    return this.#absent.remember(key, lifetimeMs, notFound(where, digest, told));
  }
}

/** The user agent that is sent on; "" where the upstream does not answer by it. Only askers who send the same one share an answer. */
export function sentAgent({ upstream }: UpstreamClient, userAgent: string | undefined): string {
  return upstream.forwardUserAgent ? (userAgent ?? "") : "";
}

function calledManifest(found: CachedManifest | undefined, called: string | undefined): Manifest | undefined {
  if (found === undefined) return undefined;
  const { manifest, statesType, ownType } = found;
  const mediaType = statesType ? ownType : (called ?? ownType);
  if (mediaType === undefined) return undefined;
  return mediaType === manifest.mediaType ? manifest : { ...manifest, mediaType };
}

export function headOf({ digest, mediaType, bytes }: Manifest): ManifestHead {
  return { digest, mediaType, size: bytes.length };
}

/** An upstream that names another digest than the one it was asked for would give us wrong bytes as well. */
function checkNamed(
  { digest: found }: Pick<ManifestBody, "digest">,
  where: RepositoryKey,
  digest: Digest,
): void {
  if (found === undefined || algorithmOf(found) !== algorithmOf(digest) || found === digest) return;
  const target = `${where.upstream}/${where.repository}@${digest}`;
  throw new GranaryError("digest-mismatch", `The upstream answers for ${target} with ${found}.`, {
    expected: digest,
    found,
    target,
  });
}

/** What the document lists. */
export function listedIn(manifest: Manifest): readonly Digest[] {
  return ownFacts(manifest).listed;
}

function askOf(
  { repository }: RepositoryKey,
  reference: Digest,
  accept: readonly string[],
  userAgent: string | undefined,
  { onAbsent }: Absence,
) {
  return { repository, reference, accept, userAgent, onAbsent };
}

function keyOf({ upstream, repository }: RepositoryKey, digest: Digest, accept: readonly string[]): string {
  const own = accept === MANIFEST_UNION ? "" : acceptClassOf(accept);
  return `${upstream}\n${repository}\n${digest}\n${own}`;
}
