/**
 * Owns the ports of programs that tests start. They lie below those that the system gives to outgoing connections: a port of that range is
 * often taken between the moment it was found free and the moment the program listens. No port is given twice in one process.
 */
import { createServer } from "node:net";

const PORTS = { from: 10_000, to: 32_000 };

const given = new Set<number>();

/** Ports of the loopback address that nobody uses now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

/** One of them. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const holder = createServer();
    holder.once("error", () => resolve(false));
    holder.listen(port, "127.0.0.1", () => holder.close(() => resolve(true)));
  });
}
