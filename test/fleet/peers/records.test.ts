/** Shows that a node is asked for its records for a second and no longer, and that what it answers otherwise is said in words. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Peers } from "../../../src/fleet/peers/peers.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const QUESTION = { kind: "events", words: {} } as const;

/** A node that answers so; `asked` resolves when the first question has come. */
async function nodeThat(answer: RequestListener) {
  const clock = new FakeClock();
  const peers = new Peers({ clock, secret: "a secret of thirty-two characters", tls: undefined });
  const asked = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    answer(request, response);
    asked.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    await peers.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  const member = { node: "b", address: `http://127.0.0.1:${port}` };
  return { clock, asked: asked.promise, ask: () => peers.records(member, QUESTION) };
}

test.each<[string, RequestListener]>([
  ["that says nothing", () => undefined],
  ["that stops in the middle", (_, response) => void response.writeHead(200).write('{"items": [')],
])("a node %s is given up after a second", async (_, answer) => {
  const { clock, asked, ask } = await nodeThat(answer);
  const answered = ask().catch((error: Error) => error.message);
  await asked;
  await clock.advance(999);
  expect(await Promise.race([answered, Promise.resolve("it is waited for")])).toBe("it is waited for");
  await clock.advance(1);
  expect(await answered).toBe("Node b of the fleet does not answer (nothing came within a second).");
});

test.each<[string, RequestListener, string]>([
  ["is older", (_, response) => void response.writeHead(400).end(), "is its Granary an older one"],
  [
    "has another secret",
    (_, response) => void response.writeHead(401).end(),
    "it answered 401: do all nodes have the same secret",
  ],
  ["answers no JSON", (_, response) => void response.end("<p>"), "is not valid JSON"],
  ["tells without end", (_, response) => void response.end(Buffer.alloc(5 * 2 ** 20, " ")), "tells too much"],
  ["hangs up", (request) => void request.socket.destroy(), "other side closed"],
])("of a node that %s that is said", async (_, answer, words) => {
  const { ask } = await nodeThat(answer);
  await expect(ask()).rejects.toMatchObject({
    code: "fleet-unavailable",
    message: expect.stringMatching(`^Node b of the fleet does not answer.*${words}`),
  });
});
