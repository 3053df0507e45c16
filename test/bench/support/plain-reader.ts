/**
 * Owns the yardstick of a slow line: one reader that asks for equal parts of a file over some connections at once, and goes on
 * where a connection broke. It keeps nothing, checks only lengths, and has no cleverness that a line could be said to lack.
 */
import { Agent, get, type IncomingMessage } from "node:http";
import { performance } from "node:perf_hooks";

/** Seconds until all `size` bytes came. */
export async function readPlainly(url: string, size: number, connections: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const part = Math.ceil(size / connections);
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: connections }, (_, index) =>
      readPart(agent, url, index * part, Math.min(size, (index + 1) * part)),
    ),
  );
  agent.destroy();
  return (performance.now() - startedAt) / 1000;
}

async function readPart(agent: Agent, url: string, start: number, end: number): Promise<void> {
  for (let at = start; at < end; ) {
    try {
      const answer = await ask(agent, url, `bytes=${at}-${end - 1}`);
      for await (const chunk of answer) at += chunk.length;
    } catch {
      // Cut: it goes on from where it was, as a patient reader does.
    }
  }
}

function ask(agent: Agent, url: string, range: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers: { range } }, (answer) => {
      if (answer.statusCode === 206) resolve(answer);
      else reject(new Error(`${url} was answered with ${answer.statusCode}`));
    });
    request.on("error", reject);
  });
}
