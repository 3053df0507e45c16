/**
 * Owns how tests of the HTTP face speak to it: requests whose target stays as it is written, with every header of the
 * answer, and plain sockets for what no HTTP client would send.
 */
import { type IncomingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";

export type WireAnswer = {
  readonly status: number;
  /** What follows the status in its line. */
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** False when the connection broke before the promised length. */
  readonly isComplete: boolean;
};

export type WireRequest = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Uint8Array;
};

/** `target` goes out as it is: an absolute form makes the server a proxy. Every request has a connection of its own. */
export function ask(port: number, target: string, { method = "GET", headers = {}, body }: WireRequest = {}) {
  // Node frames the body of a GET only when its length is stated.
  const framing = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return new Promise<WireAnswer>((resolve, reject) => {
    const outgoing = request(
      { host: "127.0.0.1", port, path: target, method, headers: { ...framing, ...headers }, agent: false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", () => undefined);
        answer.on("close", () => {
          const { statusCode = 0, statusMessage = "", complete } = answer;
          resolve({
            status: statusCode,
            reason: statusMessage,
            headers: answer.headers,
            body: Buffer.concat(chunks),
            isComplete: complete,
          });
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** The errors array of a JSON answer. */
export function errorsOf(answer: WireAnswer): { code: string; message: string }[] {
  const { errors } = JSON.parse(answer.body.toString()) as { errors: { code: string; message: string }[] };
  return errors;
}

/** Sends `bytes` over a plain connection and gives back all that comes until the server closes it. */
export async function sendRaw(port: number, bytes: string | Uint8Array): Promise<string> {
  const socket = await openSocket(port);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.write(bytes);
  await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(chunks).toString("latin1");
}

/** A connection that the caller closes. Its errors end in `close` and nowhere else. */
export function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", reject);
  });
}

/** Resolves as soon as `condition` holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
