/** Shows how a client is sent to the bucket of a fleet, and that nothing keeps the address that it is given (G11). */
import { afterEach, beforeEach, expect, test } from "vitest";
import { patternBytes } from "../support/pattern.ts";
import { type MemoryServer, serveMemory } from "../support/serve-memory.ts";
import { ask } from "../support/wire.ts";

const ADDRESS = "https://store.lab/blobs/x?X-Amz-Signature=secret";

let server: MemoryServer;
beforeEach(async () => {
  server = await serveMemory();
});
afterEach(() => server.close());

test("G11: a GET is answered 307 with the address, which nothing may keep and no log has", async () => {
  const digest = server.mirror.addBlob(patternBytes(1, 0, 100));
  Object.assign(server.mirror, { blobAddress: async () => ADDRESS });
  const path = `/v2/library/alpine/blobs/${digest}`;
  const answer = await ask(server.hub, path, { headers: { range: "bytes=0-9" } });
  expect(answer).toMatchObject({
    status: 307,
    headers: { location: ADDRESS, "cache-control": "no-store", "docker-content-digest": digest },
  });
  expect(await ask(server.hub, path, { method: "HEAD" })).toMatchObject({ status: 200 });
  await expect.poll(() => server.lines.length).toBeGreaterThan(0);
  expect(JSON.stringify(server.lines)).not.toContain("X-Amz-Signature");
});

test("where there is no address the blob is served", async () => {
  const bytes = patternBytes(1, 0, 100);
  const digest = server.mirror.addBlob(bytes);
  Object.assign(server.mirror, { blobAddress: async () => undefined });
  const answer = await ask(server.hub, `/v2/library/alpine/blobs/${digest}`);
  expect(answer).toMatchObject({ status: 200, body: bytes });
});
