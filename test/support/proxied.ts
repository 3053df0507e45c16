/** Owns how tests speak through a proxy as clients do: CONNECT, then TLS inside, then requests whose target stays as it is written. */
import { request } from "node:http";
import type { Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { openSocket } from "./wire.ts";

export type ThroughAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
};

export type ThroughRequest = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly ca: string;
};

/** The head of the answer to CONNECT, and the connection behind it. */
export async function connectThrough(
  port: number,
  authority: string,
  early: Uint8Array = Buffer.alloc(0),
): Promise<{ readonly head: string; readonly socket: Socket }> {
  const socket = await openSocket(port);
  socket.write(
    Buffer.concat([Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`), early]),
  );
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    const chunk = await nextChunk(socket);
    if (chunk === undefined) break;
    head += chunk.toString("latin1");
  }
  return { head, socket };
}

async function nextChunk(socket: Socket): Promise<Buffer | undefined> {
  for (;;) {
    const chunk: Buffer | null = socket.read();
    if (chunk !== null) return chunk;
    if (socket.readableEnded || socket.destroyed) return undefined;
    await new Promise<void>((resolve) => {
      const go = () => {
        for (const event of ["readable", "end", "close", "error"]) socket.off(event, go);
        resolve();
      };
      for (const event of ["readable", "end", "close", "error"]) socket.once(event, go);
    });
  }
}

/** TLS to `authority` through the proxy. Throws what the handshake throws, and the head of a refusal. */
export async function secureThrough(port: number, authority: string, ca: string): Promise<TLSSocket> {
  const { head, socket } = await connectThrough(port, authority);
  if (!head.startsWith("HTTP/1.1 200 ")) {
    socket.destroy();
    throw new Error(head);
  }
  const host = authority.replace(/:\d+$/, "");
  const name = /^[\d.]+$/.test(host) ? { host } : { host, servername: host };
  const secure = connectTls({ socket, ca, ALPNProtocols: ["http/1.1"], ...name });
  await new Promise<void>((resolve, reject) => {
    secure.once("secureConnect", resolve);
    secure.once("error", reject);
  });
  return secure;
}

/** One request to `authority` through the proxy, on a connection of its own. */
export async function askThrough(
  port: number,
  authority: string,
  target: string,
  { method = "GET", headers = {}, body, ca }: ThroughRequest,
): Promise<ThroughAnswer> {
  const socket = await secureThrough(port, authority, ca);
  try {
    return await exchange(socket, target, { method, headers: { host: authority, ...headers }, body });
  } finally {
    socket.destroy();
  }
}

function exchange(
  socket: Socket,
  path: string,
  {
    method,
    headers,
    body,
  }: Pick<ThroughRequest, "body"> & { method: string; headers: Record<string, string> },
): Promise<ThroughAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ createConnection: () => socket, path, method, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("error", reject);
      answer.once("end", () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
    });
    outgoing.once("error", reject);
    if (body === undefined || typeof body === "string" || body instanceof Uint8Array) outgoing.end(body);
    else void sendAll(outgoing, body).catch(reject);
  });
}

async function sendAll(outgoing: ReturnType<typeof request>, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of body)
    if (!outgoing.write(chunk)) await new Promise((resolve) => outgoing.once("drain", resolve));
  outgoing.end();
}
