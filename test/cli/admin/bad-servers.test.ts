/** Shows what a command says of a server that hangs, dies in the middle of its answer, is of another version, or is no Granary at all. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { urlWay } from "../../../src/cli/admin/ways.ts";
import { runMain } from "../../support/run-main.ts";

async function serverThat(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const servers: readonly (readonly [string, RequestListener, RegExp])[] = [
  [
    "dies in the middle of its answer",
    (_, outgoing) => {
      outgoing.writeHead(200, { "Content-Length": 1_000 });
      outgoing.write('{"version":', () => outgoing.destroy());
    },
    /^granary: The Granary at http:\S+ ended before it had answered\.$/m,
  ],
  [
    "dies in the middle of a refusal",
    (_, outgoing) => {
      outgoing.writeHead(403, { "Content-Length": 1_000 });
      outgoing.write('{"error":', () => outgoing.destroy());
    },
    /ended before it had answered/,
  ],
  ["closes without a word", (incoming) => void incoming.socket.destroy(), /gives no answer: socket hang up/],
  ["is of another version", (_, outgoing) => void outgoing.end('{"version":"9.9"}'), /of another version/],
  ["is no Granary", (_, outgoing) => void outgoing.end("<html>"), /is no Granary/],
  [
    "fails in its own way",
    (_, outgoing) => void outgoing.writeHead(500).end("secret words"),
    /answered 500, and not as the admin face of a Granary does/,
  ],
  [
    "sends elsewhere",
    (_, outgoing) => void outgoing.writeHead(302, { Location: "http://127.0.0.1:1/" }).end(),
    /is no Granary/,
  ],
];

test.each(servers)(
  "a server that %s: one sentence, exit code 1, nothing on standard output",
  async (_, answer, sentence) => {
    const url = await serverThat(answer);
    for (const args of [["status", "--json"], ["list"], ["offline", "on", "--json"]]) {
      const { code, out, err } = await runMain([...args, "--server", url], {
        cwd: "/",
        env: { GRANARY_TOKEN: "" },
      });
      expect([code, out], args.join(" ")).toEqual([1, ""]);
      expect(err, args.join(" ")).toMatch(sentence);
      expect(err).not.toContain("secret words");
    }
  },
);

test("a server that takes the question and says nothing is not waited for without end", async () => {
  const url = await serverThat(() => undefined);
  const way = urlWay(new URL(url), undefined, undefined, { connectMs: 60_000, answerMs: 50 });
  await expect(way.send("GET", "/api/v1/status", undefined)).rejects.toThrow(
    /gives no answer: nothing came within 50ms/,
  );
});

test("work is waited for as long as it takes", async () => {
  const url = await serverThat((_, outgoing) => setTimeout(() => outgoing.end("{}"), 300));
  const way = urlWay(new URL(url), undefined, undefined, { connectMs: 60_000, answerMs: 50 });
  expect(await way.send("POST", "/api/v1/verify", undefined)).toMatchObject({ status: 200 });
});

test("where a storage directory's path is too long for a socket, that is said, and not that none runs there", async () => {
  const directory = `/nowhere/${"x".repeat(100)}`;
  const { code, err } = await runMain(["status", "--directory", directory]);
  expect(code).toBe(1);
  expect(err).toContain("too long for a socket: name its admin listener with --server.");
});
