/**
 * Owns one listening address of the fake: it can go away and come back on the same port. It never looks at a
 * request.
 */
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";

export type ListenerTls = { readonly cert: string; readonly key: string; readonly ca?: string };

export class Listener {
  readonly #address: string;
  readonly #onRequest: RequestListener;
  readonly #tls: ListenerTls | undefined;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  constructor(address: string, onRequest: RequestListener, tls: ListenerTls | undefined) {
    this.#address = address;
    this.#onRequest = onRequest;
    this.#tls = tls;
  }

  get url(): string {
    return `${this.#tls === undefined ? "http" : "https"}://${this.#address}:${this.#port}`;
  }

  /** Open client connections. */
  get connections(): number {
    return this.#sockets.size;
  }

  async open(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = this.#create();
    server.keepAliveTimeout = 60_000;
    server.requestTimeout = 0;
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, this.#address, 1024, resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Connections are cut and new ones refused until `open`. */
  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const done = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    server.closeAllConnections();
    await done;
  }

  #create(): Server {
    const options = { maxHeaderSize: 256 * 1024 };
    if (this.#tls === undefined) return createServer(options, this.#onRequest);
    const client = this.#tls.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
    return createTlsServer({ ...options, ...this.#tls, ...client }, this.#onRequest);
  }
}
