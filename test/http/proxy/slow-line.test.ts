/** Shows the proxy on the line that it is made for: slow, lossy and limited, with more clients than connections, and an upload beside them. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { plainUpstream } from "../../../src/config/defaults.ts";
import { firstDifference } from "../../support/pattern.ts";
import { startProxyWorld } from "../../support/proxy-world.ts";
import { putBehind } from "../../support/slow-line/publish.ts";
import { SlowLine } from "../../support/slow-line.ts";
import { startFake } from "../../support/start-upstream.ts";
import { upstreamOf } from "../../support/upstream-of.ts";

const SIZE = 3_000_000;
const SEED = 9;
const CLIENTS = 24;

/** A registry that takes any upload and says what it was. */
async function startTaker() {
  const server = createServer(async (incoming, answer) => {
    const hash = createHash("sha256");
    for await (const chunk of incoming) hash.update(chunk as Buffer);
    answer.writeHead(201, { "docker-content-digest": `sha256:${hash.digest("hex")}` }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

test("over a slow, lossy and limited line two dozen clients cost one transfer, and an upload beside them arrives (F6)", async () => {
  const line = new SlowLine({
    ...{ rate: 4_000_000, bothWays: true, delayMs: 40 },
    cut: { after: [200_000, 900_000], every: 3 },
    limit: { connections: 3, beyond: "refuse" },
  });
  onTestFinished(() => line.close());
  const fake = await startFake({ mode: "hub" });
  const digest = fake.addGeneratedBlob({ seed: SEED, size: SIZE }, "library/app");
  await putBehind(line, fake);
  const taker = await line.front(await startTaker());
  const name = `${taker.host}:${taker.port}`;
  const upstreams = [
    upstreamOf(fake, { name: fake.host }),
    { ...plainUpstream(name), endpoints: [`http://${name}`], internal: true },
  ];
  const { ask } = await startProxyWorld(upstreams);

  const read = async (index: number) => {
    const start = (index % 4) * (SIZE / 4);
    const headers: Record<string, string> =
      index % 2 === 0 ? {} : { range: `bytes=${start}-${start + SIZE / 4 - 1}` };
    const { status, body } = await ask(fake.host, `/v2/library/app/blobs/${digest}`, { headers });
    expect([status, body.length]).toEqual(index % 2 === 0 ? [200, SIZE] : [206, SIZE / 4]);
    expect(firstDifference(SEED, index % 2 === 0 ? 0 : start, body)).toBeUndefined();
  };
  const upload = Buffer.alloc(1_000_000, "upload");
  const pushed = ask(name, "/v2/app/blobs/uploads/1?digest=x", { method: "PUT", body: upload });
  // A registry that takes three connections is asked for its challenge in turn, and never taken for one that is away.
  const challenged = async () => expect((await ask(fake.host, "/v2/")).status).toBe(401);
  const reading = Array.from({ length: CLIENTS }, (_, index) => read(index));
  await Promise.all([...reading, ...Array.from({ length: CLIENTS }, challenged)]);

  expect((await pushed).headers["docker-content-digest"]).toBe(
    `sha256:${createHash("sha256").update(upload).digest("hex")}`,
  );
  // What connections that broke had under way is lost, and no more: without the cache it would be 45 MB.
  expect(fake.bytesSentFor(digest)).toBeLessThan(SIZE * 3);
}, 90_000);
