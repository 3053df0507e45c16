/** Owns clients that ask for a whole blob and read little of it: each takes a small piece now and then, for as long as it is open. */
import { connect, type Socket } from "node:net";

export type SlowReaders = { close(): void };

/** Every reader takes one buffer of Node's so often. */
const EVERY_MS = 1_000;

/** Opens `count` of them, and resolves when each has had its first bytes. */
export async function openSlowReaders(port: number, path: string, count: number): Promise<SlowReaders> {
  const sockets = await Promise.all(Array.from({ length: count }, () => open(port, path)));
  const timer = setInterval(() => {
    for (const socket of sockets) socket.read();
  }, EVERY_MS);
  return {
    close: () => {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Without a `data` listener nothing is taken but what `read` takes. */
async function open(port: number, path: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
  await new Promise<void>((resolve, reject) => {
    socket.once("readable", resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("a slow reader's connection was closed")));
  });
  return socket;
}
