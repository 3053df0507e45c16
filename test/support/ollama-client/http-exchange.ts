/**
 * Owns one HTTP/1.1 exchange of the stand-in: its own socket, straight or in the absolute form that a proxy gets. It
 * never looks at a status and never follows a redirect.
 */
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";

export type HttpExchange = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
  /** What was asked for. */
  readonly url: URL;
};

export type ExchangeOptions = {
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  /** Base URL of an HTTP proxy (`HTTP_PROXY`). */
  readonly proxy?: string | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Resolves with the headers; the body is unread. The caller reads it to its end or destroys it. */
export function exchange(url: URL, options: ExchangeOptions = {}): Promise<HttpExchange> {
  const { method = "GET", headers = {}, proxy, signal } = options;
  const peer = proxy === undefined ? url : new URL(proxy);
  return new Promise((resolve, reject) => {
    const asked = request({
      agent: false,
      host: peer.hostname,
      port: peer.port === "" ? 80 : Number(peer.port),
      method,
      path: proxy === undefined ? `${url.pathname}${url.search}` : url.href,
      headers: { host: url.host, ...headers },
      ...(signal !== undefined && { signal }),
    });
    // After the headers, failures show at the body; this listener then rejects a promise that is long settled.
    asked.on("error", reject);
    asked.once("response", (body) => {
      body.on("error", () => {}); // Read by for-await where anyone reads; a body that is dropped may fail unseen.
      resolve({ status: body.statusCode ?? 0, headers: body.headers, body, url });
    });
    asked.end();
  });
}

/** Ends the exchange at once, the rest of the body unread. */
export function drop({ body }: HttpExchange): void {
  body.destroy();
}

export async function readAll({ body }: HttpExchange): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
