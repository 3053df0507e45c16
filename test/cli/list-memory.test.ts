/** Shows a whole server, held to little memory, under lists that were made to fill it: it answers each, and others meanwhile. */
import { readFile } from "node:fs/promises";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { OCI_INDEX } from "../../src/oci/media-types.ts";
import { startServing } from "../support/serving.ts";
import { startFake } from "../support/start-upstream.ts";
import { tempDirectory } from "../support/temp-directory.ts";

vi.setConfig({ testTimeout: 240_000 });

const MiB = 2 ** 20;
/** Of JavaScript's objects: a list of 8 MB that is parsed takes more. */
const HEAP_MIB = 96;
/** Of everything, as a container's limit would count it. */
const MOST_BYTES = 512 * MiB;
const LISTS = 16;
const READERS = 8;

/** Status and bytes of the body, none of which is kept. */
function read(
  agent: Agent,
  port: number,
  path: string,
): Promise<{ status: number | undefined; bytes: number }> {
  return new Promise((resolve, reject) => {
    const request = get({ agent, port, host: "127.0.0.1", path }, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on("end", () => resolve({ status: response.statusCode, bytes })).on("error", reject);
    });
    request.on("error", reject);
  });
}

test("lists of referrers of 8 MB, others that nest, and tags that do, neither stop the server nor keep others waiting", async () => {
  const fake = await startFake({ mode: "plain" });
  fake.addImage("a/b", "1", { layers: [10] });
  const enter = ([node = "", ...rest]: readonly string[]) =>
    [node, `--max-old-space-size=${HEAP_MIB}`, ...rest] as [string, ...string[]];
  const serving = await startServing({ fake, directory: join(await tempDirectory(), "data"), enter });
  const agent = new Agent({ keepAlive: true, maxSockets: READERS + 1 });
  const item = JSON.stringify({
    mediaType: OCI_INDEX,
    digest: digestOf(Buffer.from("x")),
    size: 1,
    artifactType: "a/b",
  });
  const body = `{"schemaVersion":2,"manifests":[${Array(Math.ceil((8 * MiB) / item.length))
    .fill(item)
    .join(",")}]}`;
  const headers = { "content-type": OCI_INDEX };
  fake.fail(/referrers/, { kind: "status", status: 200, body, headers }, { times: LISTS });
  let others = 0;
  let isDone = false;
  const asOthers = async () => {
    while (!isDone) {
      expect((await read(agent, serving.port, "/v2/a/b/manifests/1")).status).toBe(200);
      others += 1;
    }
  };
  const path = (name: string) => `/v2/a/b/referrers/${digestOf(Buffer.from(name))}`;
  const left = Array.from({ length: LISTS }, (_, index) => path(`${index}`));
  const asReader = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const isFiltered = left.length % 4 === 0;
      const answer = await read(agent, serving.port, isFiltered ? `${next}?artifactType=none` : next);
      expect(answer.status).toBe(200);
      if (!isFiltered) expect(answer.bytes).toBe(body.length);
    }
  };
  const meanwhile = asOthers();
  await Promise.all(Array.from({ length: READERS }, asReader));
  for (const nested of ['{"manifests":[[', '{"a":']) {
    const text = nested + nested.slice(-1).repeat(8 * MiB);
    fake.fail(/referrers/, { kind: "status", status: 200, body: text, headers }, { times: 3 });
    expect((await read(agent, serving.port, path(nested))).status).toBe(503);
    fake.faults.length = 0;
  }
  fake.fail(
    /tags/,
    { kind: "status", status: 200, body: `{"tags":${"[".repeat(8 * MiB)}`, headers },
    { times: 3 },
  );
  expect((await read(agent, serving.port, "/v2/a/none/tags/list")).status).toBe(502);
  isDone = true;
  await meanwhile;
  agent.destroy();
  expect(serving.child.exitCode).toBeNull();
  // Each list comes and goes in hundreds of pieces, and somebody else is answered between them.
  expect(others).toBeGreaterThan(LISTS);
  const status = await readFile(`/proc/${serving.child.pid}/status`, "utf8").catch(() => "");
  const [, most = "0"] = /VmHWM:\s+(\d+) kB/.exec(status) ?? [];
  expect(Number(most) * 1024).toBeLessThan(MOST_BYTES);
});
