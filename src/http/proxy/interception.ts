/**
 * Owns the connections on which clients speak to one upstream by its own name: TLS ends here with a certificate that the authority makes for that
 * name, and each request is answered as intercepted-requests.ts says. One server for each name, which nothing reaches but what is given to it.
 */
import type { Socket } from "node:net";
import type { Authority, LeafCertificate } from "../../authority/authority.ts";
import { endAfterAnswers, keepServer, type ListenerCommons, openTlsServer } from "../connections/listener.ts";
import { createInterceptedListener, type InterceptedParts } from "./intercepted-requests.ts";
import { mayUpgrade, relayUpgrade } from "./relay-upgrade.ts";
import type { Tunnels } from "./tunnels.ts";

export type InterceptionOptions = {
  readonly parts: InterceptedParts;
  readonly certificates: Pick<Authority, "leaf">;
  /** Without brackets and port. */
  readonly name: string;
  readonly commons: ListenerCommons;
  readonly stallMs?: number | undefined;
  readonly tunnels: Tunnels;
};

/** How many connections to one name may be open without having shown that they speak TLS is for the limits on connections. */
export class Interception {
  readonly #options: InterceptionOptions;
  readonly #server: ReturnType<typeof openTlsServer>;
  readonly #open: ReturnType<typeof keepServer>;
  #shown: LeafCertificate;

  private constructor(options: InterceptionOptions, leaf: LeafCertificate) {
    const { parts, name, commons, stallMs, tunnels } = options;
    this.#options = options;
    this.#shown = leaf;
    this.#server = openTlsServer(leaf, name);
    this.#open = keepServer(this.#server, "secureConnection", {
      // An upload may take hours: what counts is that it goes on (silence.ts).
      options: { requestMs: 0, ...(stallMs !== undefined && { stallMs }) },
      handlers: {
        answer: createInterceptedListener(parts),
        mayUpgrade,
        onUpgrade: (...asked) => void relayUpgrade(parts, tunnels, asked),
      },
      commons,
    });
    // Node looks for clients that never finish a head only once a server listens, which this one does not.
    this.#server.emit("listening");
  }

  /** Throws what the authority throws. */
  static async open(options: InterceptionOptions): Promise<Interception> {
    return new Interception(options, await options.certificates.leaf(options.name));
  }

  /** `greet` is called before the handshake begins. Throws what the authority throws; the connection is as it was then. */
  async take(socket: Socket, greet: () => void): Promise<void> {
    const leaf = await this.#options.certificates.leaf(this.#options.name);
    if (leaf !== this.#shown) this.#server.setSecureContext(leaf);
    this.#shown = leaf;
    if (socket.destroyed) return;
    greet();
    this.#server.emit("connection", socket);
  }

  /** Connections end with the answers under way. */
  end(): void {
    endAfterAnswers(this.#server, this.#open);
    this.#server.close();
  }
}
