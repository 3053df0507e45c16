/**
 * Owns the Source over registries: one UpstreamClient per registry, made when it is first asked for, and the check that every
 * manifest is what was asked for. It keeps no content.
 */
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { joinWords, type ToldError } from "../../oci/error-body.ts";
import { checkManifest, type Manifest, toldHead } from "../../oci/manifest.ts";
import { MANIFEST_UNION } from "../../oci/media-types.ts";
import { formatReference, type Reference, type Repository, wantedOf } from "../../oci/reference.ts";
import type { Origin } from "../../origin.ts";
import type { ManifestHead, Source } from "../../source.ts";
import type { UncheckedHead, UpstreamClient } from "../upstream-client.ts";
import { hearAbsence, unlessHidden } from "./absence.ts";

/** `clientOf` makes the client of one registry; it is closed with the Source. */
export function registrySource(clientOf: (registry: string) => UpstreamClient): Source {
  return new RegistrySource(clientOf);
}

class RegistrySource implements Source {
  readonly isLocal = false;
  readonly #clientOf: (registry: string) => UpstreamClient;
  readonly #clients = new Map<string, UpstreamClient>();
  #isClosed = false;

  constructor(clientOf: (registry: string) => UpstreamClient) {
    this.#clientOf = clientOf;
  }

  async manifest(reference: Reference): Promise<Manifest> {
    const client = this.#client(reference);
    const absence = hearAbsence();
    const { onAbsent } = absence;
    const body = await unlessHidden(
      asVersionless((userAgent) => client.getManifest({ ...askOf(reference, userAgent), onAbsent })),
      onAbsent,
    );
    if (body === undefined) throw await this.#absent(reference, formatReference(reference), absence.told);
    return checkManifest(body, formatReference(reference), reference.digest).manifest;
  }

  /** A registry that leaves out one of the headers is asked for the bytes: they tell all three. */
  async headManifest(reference: Reference): Promise<ManifestHead> {
    const client = this.#client(reference);
    const asking = asVersionless((userAgent) => client.headManifest(askOf(reference, userAgent)));
    const head = await unlessHidden(asking).catch((error: unknown) => {
      if (isMute(error)) return UNTOLD;
      throw error;
    });
    // A HEAD alone does not prove that it is absent.
    const told = toldHead(head ?? UNTOLD);
    if (told !== undefined && told.digest === (reference.digest ?? told.digest)) return told;
    const manifest = await this.manifest(reference);
    return { digest: manifest.digest, size: manifest.bytes.length, mediaType: manifest.mediaType };
  }

  async blobSize(repository: Repository, digest: Digest): Promise<number> {
    const head = await this.#client(repository).headBlob(repository.repository, digest);
    if (head?.size !== undefined) return head.size;
    if (head !== undefined) return await this.#measured(repository, digest);
    throw await this.#absent(repository, `blob ${digest} of ${repository.registry}/${repository.repository}`);
  }

  /** When the registry does not tell the size, the blob is read to its end. Whether that was the right end, the digest tells later. */
  async #measured(repository: Repository, digest: Digest): Promise<number> {
    const whole = { start: 0, end: Number.POSITIVE_INFINITY };
    const opened = await this.origin(repository, digest).open(whole, new AbortController().signal);
    let size = 0;
    for await (const chunk of opened.body) size += chunk.length;
    return size;
  }

  origin(repository: Repository, digest: Digest): Origin {
    return this.#client(repository).blobOrigin(repository.repository, digest);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }

  /** Registries say 404 or 401 for both: absent, and private to others (docs/protocol.md#docker-hub-absent-repositories). */
  async #absent(
    repository: Repository,
    target: string,
    told: readonly ToldError[] = [],
  ): Promise<GranaryError> {
    // That it was not found is the answer, even when we cannot tell as whom we asked.
    const says = await this.#client(repository).saysIdentity(repository.repository).catch(messageOf);
    const words = joinWords(told);
    const why = words === undefined ? "" : ` The registry says: ${words}.`;
    const message = `There is no ${target}, or it is private and needs another login.${why} ${says}`;
    return new GranaryError("not-found", message, { target });
  }

  #client({ registry }: Repository): UpstreamClient {
    if (this.#isClosed) throw new GranaryError("closed", `The source of ${registry} is closed.`);
    const known = this.#clients.get(registry);
    if (known !== undefined) return known;
    const client = this.#clientOf(registry);
    this.#clients.set(registry, client);
    return client;
  }
}

/** Stands for the answer to a HEAD that was refused. */
const UNTOLD: UncheckedHead = { digest: undefined, mediaType: undefined, size: undefined };

/** The reason of a refusal is in a body, which the answer to a HEAD does not have: a GET tells it, or succeeds. */
function isMute(error: unknown): boolean {
  if (!isGranaryError(error, "denied", "upstream-refused", "upstream-unavailable")) return false;
  return error.facts.upstreamStatus !== undefined && error.facts.told === undefined;
}

function askOf(reference: Reference, userAgent: string | undefined) {
  const { repository } = reference;
  return { repository, reference: wantedOf(reference), accept: MANIFEST_UNION, userAgent };
}

/**
 * The Ollama registry takes a User-Agent that it cannot read for an old Ollama, and refuses it newer models with 412; 0.0.0
 * skips its check (docs/protocol.md#ollama-user-agent). We run no models: every one may be fetched. Only an upstream with
 * `forwardUserAgent` is sent the second text.
 */
async function asVersionless<T>(ask: (userAgent: string | undefined) => Promise<T>): Promise<T> {
  try {
    return await ask(undefined);
  } catch (error) {
    if (!isGranaryError(error, "client-outdated")) throw error;
    return await ask("ollama/0.0.0 (granary)");
  }
}
