/** Shows what a client gets that asks for several ranges in one request: Podman's partial pulls, stargz and other lazy readers. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import { patternBytes } from "../../support/pattern.ts";
import { readParts } from "../../support/read-parts.ts";
import { type MemoryServer, serveMemory } from "../../support/serve-memory.ts";
import { ask, openSocket, until } from "../../support/wire.ts";

const SIZE = 3 * 2 ** 20;
const bytes = patternBytes(1, 0, SIZE);

let server: MemoryServer;
beforeEach(async () => {
  server = await serveMemory();
});
afterEach(async () => {
  await server.close();
  expect([server.mirror.pins, server.mirror.readers], "pins and readers left behind (F12)").toEqual([0, 0]);
});

const pathOf = (digest: string) => `/v2/library/alpine/blobs/${digest}`;

async function askFor(range: string, headers: Record<string, string> = {}, outcome: "hit" | "miss" = "hit") {
  const digest = server.mirror.addBlob(bytes, { outcome });
  return await ask(server.hub, pathOf(digest), { headers: { range, ...headers } });
}

describe.each(["hit", "miss"] as const)("several ranges of a blob (%s)", (outcome) => {
  test.each<[string, readonly (readonly [number, number])[]]>([
    [
      "bytes=0-1,5-6",
      [
        [0, 1],
        [5, 6],
      ],
    ],
    [
      "bytes=0-0,1-1,2-2",
      [
        [0, 0],
        [1, 1],
        [2, 2],
      ],
    ],
    [
      "bytes=100-199,200000-299999,-47",
      [
        [100, 199],
        [200_000, 299_999],
        [SIZE - 47, SIZE - 1],
      ],
    ],
    [
      "bytes=2000000-2999999,0-9,70000-70000",
      [
        [2_000_000, 2_999_999],
        [0, 9],
        [70_000, 70_000],
      ],
    ],
    [
      "bytes=0-9,5-14",
      [
        [0, 9],
        [5, 14],
      ],
    ],
    [
      `bytes=0-1048575,1048576-${SIZE - 1}`,
      [
        [0, 1_048_575],
        [1_048_576, SIZE - 1],
      ],
    ],
    [
      "bytes=0-1,3145726-9999999999,5000000-6000000",
      [
        [0, 1],
        [SIZE - 2, SIZE - 1],
      ],
    ],
  ])(
    "%s come as parts, each as it was asked for, of a body whose length is known (F2)",
    async (range, expected) => {
      const answer = await askFor(range, {}, outcome);
      expect(answer.status).toBe(206);
      expect(answer.headers["content-range"]).toBeUndefined();
      expect(answer.headers["content-length"]).toBe(String(answer.body.byteLength));
      const parts = readParts(answer);
      expect(parts.map(({ contentType, contentRange }) => [contentType, contentRange])).toEqual(
        expected.map(([first, last]) => ["application/octet-stream", `bytes ${first}-${last}/${SIZE}`]),
      );
      for (const [index, [first, last]] of expected.entries()) {
        expect(parts[index]?.bytes.equals(bytes.subarray(first, last + 1))).toBe(true);
      }
    },
  );
});

test("1024 ranges in 22 KB of header, as Podman asks for, are 1024 parts", async () => {
  const firsts = Array.from({ length: 1024 }, (_, index) => index * 3_000 + (index % 7));
  const range = `bytes=${firsts.map((first) => `${first}-${first + 1_400}`).join(",")}`;
  const parts = readParts(await askFor(range));
  expect(parts).toHaveLength(1024);
  expect(
    parts.every(({ bytes: found }, index) =>
      found.equals(bytes.subarray(firsts[index], (firsts[index] ?? 0) + 1_401)),
    ),
  ).toBe(true);
});

test("headers are those of any 206, and another boundary each time", async () => {
  const [first, second] = [await askFor("bytes=0-1,5-6"), await askFor("bytes=0-1,5-6")];
  expect(first.headers).toMatchObject({ "accept-ranges": "bytes", "x-cache": "HIT" });
  expect(first.headers.etag).toContain("sha256:");
  expect(first.headers["content-type"]).not.toBe(second.headers["content-type"]);
});

test.each<[string, number, string | undefined, string]>([
  ["bytes=0-9,99999999-", 206, "bytes 0-9/3145728", "one that is left is a plain 206"],
  ["bytes=99999999-,88888888-99999999", 416, "bytes */3145728", "none is left"],
  ["bytes=0-,0-,0-,0-", 200, undefined, "more bytes than there are: each goes out once"],
  ["bytes=0-1,x", 200, undefined, "malformed"],
  [`bytes=${"0-0,".repeat(5_000)}`, 400, undefined, "too many: Podman asks for half as many then"],
])("several ranges, case %#", async (range, status, contentRange, _why) => {
  const answer = await askFor(range.slice(0, 25_000));
  expect([answer.status, answer.headers["content-range"]]).toEqual([status, contentRange]);
  if (status === 200) expect(answer.body.equals(bytes)).toBe(true);
  if (status === 206) expect(answer.body.equals(bytes.subarray(0, 10))).toBe(true);
});

test("an If-Range that names another blob, and HEAD, know no ranges", async () => {
  expect((await askFor("bytes=0-1,5-6", { "if-range": '"other"' })).status).toBe(200);
  const digest = server.mirror.addBlob(bytes);
  expect((await askFor("bytes=0-1,5-6", { "if-range": `"${digest}"` })).status).toBe(206);
  const head = await ask(server.hub, pathOf(digest), { method: "HEAD", headers: { range: "bytes=0-1,5-6" } });
  expect([head.status, head.headers["content-length"]]).toEqual([200, String(SIZE)]);
});

test("a part that cannot be read to its end breaks the answer off, never ends it (F2, F18)", async () => {
  const hook = async (offset: number) => {
    if (offset > 0) throw new GranaryError("upstream-unavailable", "gone");
  };
  const digest = server.mirror.addBlob(bytes, { hook });
  const answer = await ask(server.hub, pathOf(digest), { headers: { range: "bytes=0-9,100-2999999" } });
  expect([answer.status, answer.isComplete]).toEqual([206, false]);
});

test("a client that leaves between two parts gives back reader and Pin (F12)", async () => {
  let reads = 0;
  const hook = () => (++reads > 2 ? new Promise<void>(() => undefined) : Promise.resolve());
  const digest = server.mirror.addBlob(bytes, { hook, outcome: "miss" });
  const socket = await openSocket(server.hub);
  socket
    .resume()
    .write(
      `GET ${pathOf(digest)} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9,1000000-1000009,2000000-2000009\r\n\r\n`,
    );
  await until(() => reads > 2);
  socket.resetAndDestroy();
  await until(() => server.mirror.readers === 0 && server.mirror.pins === 0);
});
