/** Shows what whoever exports by the API gets when the export fails midway: never something that looks whole. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import { adminListener } from "../../../src/http/admin/admin-listener.ts";
import type { AdminParts } from "../../../src/http/admin/admin-parts.ts";
import { createAdminApp } from "../../../src/http/admin/app.ts";
import { silentLog } from "../../../src/observe/log.ts";

async function* halfABundle() {
  for (let chunk = 0; chunk < 5; chunk++) {
    yield new Uint8Array(1024);
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new GranaryError("upstream-unavailable", "The registry went away.");
}

/** Where exports can be asked for that fail after their first bytes. */
async function failingExports(): Promise<string> {
  const report = { names: [], size: 2048, toFetch: 0 };
  const app = createAdminApp({
    bundles: { prepare: async () => ({ report, chunks: halfABundle, release: () => undefined }) },
    exporting: {
      run: async (_title: string, _input: unknown, work: (controls: unknown) => Promise<unknown>) =>
        await work({ signal: new AbortController().signal, progress: () => undefined }),
    },
    records: { events: {} },
    log: silentLog,
  } as unknown as AdminParts);
  const server = createServer(adminListener(app)).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/bundles/export`;
}

const ASK = {
  method: "POST",
  body: '{"patterns":["alpine"]}',
  headers: { "content-type": "application/json" },
};

test("a bundle that fails midway ends with its connection, and nothing is written beside the log", async () => {
  const complained = vi.spyOn(console, "error").mockImplementation(() => undefined);
  onTestFinished(() => complained.mockRestore());
  const answer = await fetch(await failingExports(), ASK);
  expect(answer.status).toBe(200);
  await expect(answer.arrayBuffer()).rejects.toThrow();
  expect(complained).not.toHaveBeenCalled();
});

test("in frames it ends with the reason", async () => {
  const answer = await fetch(`${await failingExports()}?framed=true`, ASK);
  expect(Buffer.from(await answer.arrayBuffer()).toString("latin1")).toContain("The registry went away.");
});
