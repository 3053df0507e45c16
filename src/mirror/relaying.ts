/**
 * Owns what may be handed through to a registry by a client's own request: what rules refuse here is not to be had that way either. It keeps
 * nothing of what passes, and decides nothing about who may see it: that is the registry's, which hears the client's own login.
 */
import type { Duplex } from "node:stream";
import { GranaryError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { isDigest } from "../oci/digest.ts";
import type { ManifestTarget, Target } from "../routing/target.ts";
import type { RelayAsk } from "../upstream/network/relay.ts";
import type { RelayedAnswer } from "../upstream/network/relayed.ts";
import type { CurrentUpstreams, HeldClient } from "./current-upstreams.ts";
import type { Cooldown } from "./rules/cooldown.ts";
import type { Passage } from "./rules/passage.ts";

export type RelayingParts = {
  readonly upstreams: Pick<CurrentUpstreams, "hold" | "now">;
  readonly passage: Pick<Passage, "hasRules" | "check" | "leave">;
  readonly cooldown: Pick<Cooldown, "isCooling">;
  /** A registry has taken what a client says of this manifest. */
  readonly onPushed: (target: ManifestTarget) => void;
};

/** What the request is about, where that is content. */
export type RelayedContent = {
  /** What it reads: a rule may speak of it. */
  readonly reads?: Target | undefined;
  /** What it puts in the place of what was there, or removes. */
  readonly changes?: Target | undefined;
};

export interface Relaying {
  /**
   * The registry's own answer to `ask`. What it has pushed is known to be pushed before the answer is given. The caller reads the body
   * to its end, or destroys it. Throws `route-unknown`, `denied` (a rule, a cooldown, an address), `upstream-unavailable`, `upstream-protocol`, `aborted`.
   */
  relay(upstream: string, ask: RelayAsk, content: RelayedContent): Promise<RelayedAnswer>;
  /** See UpstreamClient. */
  isServing(upstream: string, host: string): boolean;
  /** See UpstreamClient. */
  isTokenServerAway(upstream: string, url: URL): Promise<boolean>;
  /** A connection to the registry that the client addressed as `host`, for a request that changes the protocol. Throws as `relay`. */
  connect(upstream: string, host: string, signal: AbortSignal): Promise<Duplex>;
}

export function relaying({ upstreams, passage, cooldown, onPushed }: RelayingParts): Relaying {
  const hold = (upstream: string): HeldClient => {
    const held = upstreams.hold(upstream);
    if (held !== undefined) return held;
    throw new GranaryError("route-unknown", `No upstream "${upstream}" is configured.`);
  };
  return {
    isServing: (upstream, host) => upstreams.now(upstream)?.isServing(host) === true,
    isTokenServerAway: async (upstream, url) =>
      (await upstreams.now(upstream)?.isTokenServerAway(url)) === true,
    async connect(upstream, host, signal) {
      if (passage.hasRules || cooldown.isCooling(upstream)) throw unseen(upstream);
      const { client, release } = hold(upstream);
      return await client.connect(host, signal).finally(release);
    },
    async relay(upstream, ask, { reads: target, changes }) {
      const isCooling = cooldown.isCooling(upstream);
      if (target !== undefined && passage.hasRules) await passage.check(target);
      if (target !== undefined && isCooling) throw heldBack(target);
      if (target === undefined && (passage.hasRules || isCooling)) refuseUnreadable(upstream, ask);
      const { client, release } = hold(upstream);
      const answer = await released(client.relay(ask), release);
      if (target !== undefined && passage.hasRules) leave(passage, target, answer);
      if (changes?.kind === "manifest" && answer.status < 300) onPushed(changes);
      return answer;
    },
  };
}

/** The upstream's client is needed until the body is over. */
async function released(asked: Promise<RelayedAnswer>, release: () => void): Promise<RelayedAnswer> {
  try {
    const answer = await asked;
    answer.body.once("close", release);
    return answer;
  } catch (error) {
    release();
    throw error;
  }
}

/** A tag is known by its digest only now, and that may be denied. Throws `denied`, and nothing of the answer is given out then. */
function leave(passage: Pick<Passage, "leave">, target: Target, { headers, body }: RelayedAnswer): void {
  const digest = digestIn(headers);
  if (digest === undefined) return;
  try {
    passage.leave(target, digest, []);
  } catch (error) {
    body.on("error", () => undefined).destroy();
    throw error;
  }
}

function digestIn(headers: readonly string[]): Digest | undefined {
  const at = headers.findIndex(
    (name, index) => index % 2 === 0 && name.toLowerCase() === "docker-content-digest",
  );
  const text = headers[at + 1];
  return at >= 0 && text !== undefined && isDigest(text) ? text : undefined;
}

/** Registries read paths more freely than we do: where a rule holds, content is not to be had by a spelling that no rule can judge. */
function refuseUnreadable(upstream: string, { method, path }: RelayAsk): void {
  const isReading = method === "GET" || method === "HEAD";
  const [plain = ""] = path.split("?");
  if (!isReading || !/\/+(?:manifests|blobs)\/+(?!uploads\/)/i.test(decoded(plain))) return;
  const reason = "has rules for what may pass, and this path cannot be judged by them";
  throw new GranaryError("denied", `${upstream} ${reason}.`, { target: upstream });
}

/** On a connection that speaks something else, nobody could see what is asked for. */
function unseen(upstream: string): GranaryError {
  const reason =
    "has rules for what may pass, and a connection that changes its protocol cannot be judged by them";
  return new GranaryError("denied", `${upstream} ${reason}.`, { target: upstream });
}

function decoded(path: string): string {
  return path.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function heldBack({ upstream, repository }: Target): GranaryError {
  const name = `${upstream}/${repository}`;
  const reason = `is not handed through: what is new there has to wait (upstreams.${upstream}.cooldown)`;
  return new GranaryError("denied", `${name} ${reason}.`, { target: name });
}
