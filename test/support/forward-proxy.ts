/**
 * Owns a small HTTP proxy for tests: absolute-form requests and CONNECT tunnels, both to loopback only. Host names
 * resolve by its own table, as a company's proxy resolves names that its clients cannot.
 */
import { createServer, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export type ForwardProxy = {
  readonly url: string;
  /** "GET http://host/path" and "CONNECT host:port", in order. */
  readonly asked: string[];
};

/** `hosts` maps "host:port" as asked to "address:port". */
export async function startForwardProxy(hosts: Readonly<Record<string, string>> = {}): Promise<ForwardProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const placeOf = (host: string) => {
    const [hostname = "", port = "80"] = (hosts[host] ?? host).split(":");
    return { host: hostname, port: Number(port) };
  };
  const server = createServer((incoming, response) => {
    const url = new URL(incoming.url ?? "");
    asked.push(`${incoming.method} ${url.href}`);
    const path = `${url.pathname}${url.search}`;
    const { method, headers } = incoming;
    const onward = request({ ...placeOf(url.host), path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    onward.end();
  });
  server.on("connect", (incoming, client: Socket) => {
    asked.push(`CONNECT ${incoming.url}`);
    const onward = connect(placeOf(incoming.url ?? ""), () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      onward.pipe(client).pipe(onward);
    });
    onward.on("error", () => client.destroy());
    client.on("error", () => onward.destroy());
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
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
