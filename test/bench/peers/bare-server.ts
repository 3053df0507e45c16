/**
 * The program of peers/bare.ts: answers of a fixed table, by a node:http handler that does nothing else. Run as
 * `node bare-server.ts ANSWERS PORT`.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

export type BareAnswer = {
  readonly status: number;
  /** Name, value, name, value, as writeHead takes them. */
  readonly headers: readonly string[];
  readonly body: string;
};

/** Headers that Node adds to every answer by itself. */
export const BY_NODE: ReadonlySet<string> = new Set(["date", "connection", "keep-alive"]);
/** Before a path: the answer to those who have it already. */
export const NOT_MODIFIED = "304 ";

const [, , file, port] = process.argv;
if (import.meta.main && file !== undefined) serve(JSON.parse(readFileSync(file, "utf8")), Number(port));

function serve(answers: Record<string, BareAnswer>, on: number): void {
  const ready = new Map(
    Object.entries(answers).map(([key, { body, ...rest }]) => [key, { ...rest, body: Buffer.from(body) }]),
  );
  createServer((request, response) => {
    const path = request.url ?? "";
    const answer = ready.get(request.headers["if-none-match"] === undefined ? path : NOT_MODIFIED + path);
    if (!answer) return void response.writeHead(404).end();
    response.writeHead(answer.status, answer.headers as string[]);
    response.end(request.method === "HEAD" || answer.body.length === 0 ? undefined : answer.body);
  }).listen(on, "127.0.0.1");
}
