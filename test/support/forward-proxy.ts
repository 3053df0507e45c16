/**
 * Owns a small HTTP proxy for tests: absolute-form requests and CONNECT tunnels, both to loopback only. Host names
 * resolve by its own table, as a company's proxy resolves names that its clients cannot.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export type ForwardProxy = {
  readonly url: string;
  /** "GET http://host/path" and "CONNECT host:port", in order. */
  readonly asked: string[];
  /** The Proxy-Authorization of each, or undefined. */
  readonly logins: (string | undefined)[];
};

export type ForwardProxyOptions = {
  /** It speaks https itself with them. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** It answers 407 to requests without this Proxy-Authorization. */
  readonly login?: string;
};

/** `hosts` maps "host:port" as asked to "address:port". */
export async function startForwardProxy(
  hosts: Readonly<Record<string, string>> = {},
  { tls, login }: ForwardProxyOptions = {},
): Promise<ForwardProxy> {
  const asked: string[] = [];
  const logins: (string | undefined)[] = [];
  const mayPass = ({ headers }: IncomingMessage) => {
    logins.push(headers["proxy-authorization"]);
    return login === undefined || headers["proxy-authorization"] === login;
  };
  const sockets = new Set<Socket>();
  const placeOf = (host: string) => {
    const [hostname = "", port = "80"] = (hosts[host] ?? host).split(":");
    return { host: hostname, port: Number(port) };
  };
  const forward = (incoming: IncomingMessage, response: ServerResponse) => {
    const url = new URL(incoming.url ?? "");
    asked.push(`${incoming.method} ${url.href}`);
    if (!mayPass(incoming)) return response.writeHead(407).end();
    const path = `${url.pathname}${url.search}`;
    const { method, headers } = incoming;
    const onward = request({ ...placeOf(url.host), path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    return onward.end();
  };
  const server = tls === undefined ? createServer(forward) : createTlsServer(tls, forward);
  server.on("connect", (incoming, client: Socket) => {
    asked.push(`CONNECT ${incoming.url}`);
    // Who was refused may be gone before it has read why.
    client.on("error", () => client.destroy());
    if (!mayPass(incoming)) return client.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    const onward = connect(placeOf(incoming.url ?? ""), () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      onward.pipe(client).pipe(onward);
    });
    onward.on("error", () => client.destroy());
    return client.on("error", () => onward.destroy());
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const scheme = tls === undefined ? "http" : "https";
  return { url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, logins };
}
