/** Owns the certificates of hosts that were made and are good for a while yet: a bounded number of them, each made once for all who ask. */
import type { KeyObject } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Clock } from "../observe/clock.ts";
import { mostEntries } from "../waiting/expiry.ts";
import { SingleFlight } from "../waiting/single-flight.ts";
import { keyText, newKey } from "./authority-key.ts";
import { leafCertificate, type Validity } from "./certificates.ts";

const DAY_MS = 86_400_000;
const LIFE_MS = 7 * DAY_MS;
/** Clocks differ, and some machines start with one that is hours behind. */
const BEFORE_MS = DAY_MS;
/** With less left, a client whose clock is ahead might refuse it. */
const LEAST_LEFT_MS = DAY_MS;
const MOST_LEAVES = 1_024;

export type LeafCertificate = {
  /** PEM: the host's own certificate, then the authority's. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
};

/** `certificate` is the authority's own, PEM, and ends at `until`, epoch ms. */
export type Signer = { readonly key: KeyObject; readonly certificate: string; readonly until: number };
type Made = Validity & { readonly leaf: LeafCertificate };

export class Leaves {
  readonly #signer: Signer;
  readonly #clock: Clock;
  readonly #made = new LRUCache<string, Made>(mostEntries(MOST_LEAVES));
  readonly #making: SingleFlight<Made>;

  constructor(signer: Signer, clock: Clock) {
    this.#signer = signer;
    this.#clock = clock;
    this.#making = new SingleFlight(clock);
  }

  /** The same object while it is the same certificate: what is made of it can be kept by it. */
  async of(host: string): Promise<LeafCertificate> {
    const known = this.#made.get(host);
    const { leaf } = known !== undefined && this.#isGood(known) ? known : await this.#makeOnce(host);
    return leaf;
  }

  /** Somebody may have set the clock back since. */
  #isGood({ from, until }: Validity): boolean {
    const now = this.#clock.now();
    return from <= now && now < until - LEAST_LEFT_MS;
  }

  #makeOnce(host: string): Promise<Made> {
    return this.#making.run(host, async () => {
      const made = await this.#make(host);
      this.#made.set(host, made);
      return made;
    });
  }

  async #make(host: string): Promise<Made> {
    const { key, certificate, until } = this.#signer;
    const now = this.#clock.now();
    // One that outlives its authority would be refused by some clients and not by others.
    const validity = { from: now - BEFORE_MS, until: Math.min(now + LIFE_MS, until) };
    const leafKey = await newKey();
    const leaf = await leafCertificate(key, leafKey, host, validity);
    return { ...validity, leaf: { cert: `${leaf}${certificate}`, key: keyText(leafKey) } };
  }
}
