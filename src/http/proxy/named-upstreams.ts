/**
 * Owns which places are upstreams to clients: their names and aliases, and no other host of theirs. An endpoint may be a mirror of several
 * registries, and means itself to a client. It must never answer for a place that no setting names.
 */
import type { Relaying } from "../../mirror/relaying.ts";
import { authorityOf, type HostPort, hostPortText, parseAuthority } from "../../oci/host-port.ts";
import type { Upstream } from "../../upstream/policy.ts";
import type { FaceParts } from "../request-listener.ts";
import type { InterceptedParts } from "./intercepted-requests.ts";
import type { SentPlaces } from "./sent-places.ts";

/** What of the settings can change while it is listened. */
export type NamedTerms = Pick<FaceParts, "router" | "upstreams"> & {
  readonly named: readonly Pick<Upstream, "name" | "aliases" | "internal">[];
};

export type NamedParts = {
  readonly shared: Omit<FaceParts, "listenerUpstream" | "login" | "router" | "upstreams">;
  readonly relaying: Relaying;
  /** Hears where registries send clients; nothing where these go there by themselves. */
  readonly sentPlaces?: SentPlaces;
};

export class NamedUpstreams {
  readonly #parts: NamedParts;
  #terms: NamedTerms;
  /** Names of upstreams by `host:port`. */
  #places: ReadonlyMap<string, string>;

  constructor(terms: NamedTerms, parts: NamedParts) {
    this.#parts = parts;
    this.#terms = terms;
    this.#places = placesOf(terms.named);
  }

  renew(terms: NamedTerms): void {
    this.#terms = terms;
    this.#places = placesOf(terms.named);
  }

  /** True for a host that is an upstream, at whatever port. */
  hasHost(host: string): boolean {
    return [...this.#places.keys()].some((place) => parseAuthority(place)?.host === host);
  }

  isInternal(upstream: string | undefined): boolean {
    return this.#terms.named.some(({ name, internal }) => name === upstream && internal);
  }

  /** What a request needs whose client addressed `place`; undefined where that is no upstream. */
  partsAt(place: HostPort): InterceptedParts | undefined {
    const listenerUpstream = this.#places.get(hostPortText(place));
    if (listenerUpstream === undefined) return undefined;
    const { relaying, sentPlaces } = this.#parts;
    const own = { listenerUpstream, isAddressed: true, login: undefined, host: authorityOf(place) };
    return { ...this.faceParts(), ...own, relaying, ...(sentPlaces !== undefined && { sentPlaces }) };
  }

  /** The same for a request that addresses no upstream. */
  faceParts() {
    const { router, upstreams } = this.#terms;
    return { ...this.#parts.shared, router, upstreams };
  }
}

function placesOf(upstreams: NamedTerms["named"]): ReadonlyMap<string, string> {
  const places = new Map<string, string>();
  for (const { name, aliases } of upstreams) {
    for (const each of [name, ...aliases]) {
      const place = parseAuthority(each);
      if (place !== undefined) places.set(hostPortText(place), name);
    }
  }
  return places;
}
