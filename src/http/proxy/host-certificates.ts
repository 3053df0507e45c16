/**
 * Owns which authority makes the certificates of hosts now: other upstreams need another one, and whoever listens goes on with it. It makes
 * none itself.
 */
import type { Authority, LeafCertificate } from "../../authority/authority.ts";
import { GranaryError } from "../../errors.ts";
import type { Upstream } from "../../upstream/policy.ts";

export type Certificates = Pick<Authority, "leaf">;
export type OpenCertificates = (
  upstreams: readonly Pick<Upstream, "name" | "aliases">[],
) => Promise<Certificates>;

export class HostCertificates implements Certificates {
  readonly #open: OpenCertificates | undefined;
  #current: Certificates | undefined;

  /** Without `open` there are none. */
  constructor(open: OpenCertificates | undefined) {
    this.#open = open;
  }

  /** From now on for these names. Returns the way back. Throws `config-invalid`, `store-damaged`, and nothing has changed then. */
  async use(upstreams: readonly Pick<Upstream, "name" | "aliases">[]): Promise<() => void> {
    const before = this.#current;
    this.#current = await this.#open?.(upstreams);
    return () => {
      this.#current = before;
    };
  }

  /** Throws what the authority throws, and `denied` where there is none. */
  async leaf(host: string): Promise<LeafCertificate> {
    if (this.#current !== undefined) return await this.#current.leaf(host);
    throw new GranaryError("denied", `No certificate is made for ${host}: there is no authority.`);
  }
}
