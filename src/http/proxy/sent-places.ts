/**
 * Owns to which other places a configured registry sends its clients: the token server of its challenge, and where it redirects to. They are
 * reached by a blind tunnel, because the registry needs them and no setting can know them. What registries name is bounded, and forgotten
 * when they do not name it any more.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "../../observe/clock.ts";
import { parseChallenges } from "../../oci/challenge.ts";
import { type HostPort, hostPortOf, hostPortText } from "../../oci/host-port.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";

/** A client comes within seconds of the answer that sends it; a login is renewed at the same token server for longer. */
const REMEMBERED_MS = 60 * 60_000;
const MOST_PLACES = 500;

export class SentPlaces {
  /** Names of upstreams by place. */
  readonly #sent: LRUCache<string, string>;

  constructor(clock: Clock) {
    this.#sent = new LRUCache({ ...mostEntries(MOST_PLACES), ttl: REMEMBERED_MS, ...expiringBy(clock) });
  }

  /** `headers` are those of an answer of the upstream's registry, names and values in turn. */
  learn(upstream: string, headers: readonly string[]): void {
    for (const [index, name] of headers.entries()) {
      if (index % 2 === 1) continue;
      for (const url of urlsIn(name.toLowerCase(), headers[index + 1] ?? "")) this.#remember(upstream, url);
    }
  }

  /** The upstream whose registry sends clients there. */
  upstreamOf(place: HostPort): string | undefined {
    return this.#sent.get(hostPortText(place));
  }

  #remember(upstream: string, text: string): void {
    const url = URL.parse(text);
    if (url === null || url.protocol !== "https:") return;
    this.#sent.set(hostPortText(hostPortOf(url)), upstream);
  }
}

function urlsIn(name: string, value: string): readonly string[] {
  if (name === "location") return [value];
  if (name !== "www-authenticate") return [];
  return parseChallenges(value).flatMap(({ parameters }) => parameters.get("realm") ?? []);
}
