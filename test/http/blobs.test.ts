/** Shows what a blob looks like on the wire: sizes, single ranges (several are byte-parts.test.ts's), the Location that Ollama needs, and how a body ends when it cannot go on. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { patternBytes } from "../support/pattern.ts";
import { type MemoryServer, serveMemory } from "../support/serve-memory.ts";
import { ask, errorsOf, openSocket, sendRaw, until } from "../support/wire.ts";

const SIZE = 2048;
const bytes = patternBytes(1, 0, SIZE);

let server: MemoryServer;
beforeEach(async () => {
  server = await serveMemory();
});
afterEach(async () => {
  await server.close();
  expect([server.mirror.pins, server.mirror.readers], "pins and readers left behind (F12)").toEqual([0, 0]);
});

const pathOf = (digest: Digest, repository = "library/alpine") => `/v2/${repository}/blobs/${digest}`;

describe("a whole blob", () => {
  test("has size, digest, type and range support in its headers, on GET and HEAD", async () => {
    const digest = server.mirror.addBlob(bytes);
    const get = await ask(server.hub, pathOf(digest));
    const head = await ask(server.hub, pathOf(digest), { method: "HEAD" });
    const expected = {
      "content-length": String(SIZE),
      "content-type": "application/octet-stream",
      "docker-content-digest": digest,
      "accept-ranges": "bytes",
      etag: `"${digest}"`,
    };
    expect(get).toMatchObject({ status: 200, headers: expected, body: bytes });
    expect(head).toMatchObject({ status: 200, headers: expected, body: Buffer.alloc(0) });
    for (const { headers } of [get, head]) {
      expect(headers["transfer-encoding"]).toBeUndefined();
      expect(headers["content-encoding"]).toBeUndefined();
    }
  });

  test("costs a HEAD no pin and no body", async () => {
    const digest = server.mirror.addBlob(bytes);
    await ask(server.hub, pathOf(digest), { method: "HEAD", headers: { range: "bytes=0-1" } });
    expect(server.mirror.asked.map(({ method }) => method)).toEqual(["statBlob"]);
  });

  test.each([1, 65_536, 131_073, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 5 * 2 ** 20 + 7])(
    "of %d bytes arrives as it is, through two alternating buffers (F7)",
    async (size) => {
      const content = patternBytes(2, 0, size);
      const answer = await ask(server.hub, pathOf(server.mirror.addBlob(content)));
      expect(answer.body.byteLength).toBe(size);
      expect(digestOf(answer.body)).toBe(digestOf(content));
    },
  );

  test("of no bytes is an empty 200, and has no range", async () => {
    const digest = server.mirror.addBlob(new Uint8Array(0));
    expect(await ask(server.hub, pathOf(digest))).toMatchObject({
      status: 200,
      headers: { "content-length": "0" },
    });
    const ranged = await ask(server.hub, pathOf(digest), { headers: { range: "bytes=0-" } });
    expect(ranged).toMatchObject({ status: 416, headers: { "content-range": "bytes */0" } });
  });

  test("that only is said to be empty is no empty 200: the verdict comes before the headers (F18)", async () => {
    const hook = () =>
      Promise.reject(new GranaryError("digest-mismatch", "Nothing hashes to something else."));
    const digest = server.mirror.addBlob(Buffer.from("not empty"), { size: 0, hook });
    expect(await ask(server.hub, pathOf(digest))).toMatchObject({ status: 502 });
    expect(server.mirror.readers).toBe(0);
  });

  test("is not sent to a client that has it (If-None-Match)", async () => {
    const digest = server.mirror.addBlob(bytes);
    const answer = await ask(server.hub, pathOf(digest), { headers: { "if-none-match": `"${digest}"` } });
    expect(answer).toMatchObject({ status: 304, headers: { etag: `"${digest}"` } });
    expect(server.mirror.asked.map(({ method }) => method)).toEqual(["statBlob"]);
  });

  test("that is absent is BLOB_UNKNOWN", async () => {
    const answer = await ask(server.hub, pathOf(digestOf(Buffer.from("other"))));
    expect([answer.status, errorsOf(answer)[0]?.code]).toEqual([404, "BLOB_UNKNOWN"]);
  });
});

describe("the Location of a whole blob", () => {
  test("is its own path, for any client", async () => {
    const digest = server.mirror.addBlob(bytes);
    const { headers } = await ask(server.ollama, pathOf(digest, "library/m"), {
      headers: { "user-agent": "x" },
    });
    expect(headers.location).toBe(pathOf(digest, "library/m"));
  });

  test.each([
    ["by ns", (digest: Digest) => `${pathOf(digest)}?ns=docker.io`],
    ["by an ns with a port that is escaped", (digest: Digest) => `/v2/org/x/blobs/${digest}?ns=ghcr.io`],
    ["by prefix", (digest: Digest) => `/v2/ghcr.io/org/x/blobs/${digest}`],
    ["by a prefix before /v2", (digest: Digest) => `/ghcr.io/v2/org/x/blobs/${digest}`],
    ["with an escaped colon", (digest: Digest) => `/v2/library/m/blobs/${digest.replace(":", "%3A")}`],
  ])("names the upstream as the client did, %s, and leads to the same Target", async (_, urlOf) => {
    const digest = server.mirror.addBlob(bytes);
    const { headers } = await ask(server.ollama, urlOf(digest));
    expect(headers.location).toBe(urlOf(digest));
    const again = await ask(server.ollama, String(headers.location), { headers: { range: "bytes=1-2" } });
    expect(again.status).toBe(206);
    const [first, second] = server.mirror.asked.map(({ target }) => target);
    expect(second).toEqual(first);
  });

  test("stays on the host of an absolute-form request", async () => {
    const digest = server.mirror.addBlob(bytes);
    const { headers } = await ask(server.hub, `http://registry.ollama.ai${pathOf(digest, "library/m")}`);
    expect(headers.location).toBe(pathOf(digest, "library/m"));
    expect(server.mirror.asked[0]?.target.upstream).toBe("registry.ollama.ai");
  });

  test("is left out of a 206 and of HEAD", async () => {
    const digest = server.mirror.addBlob(bytes);
    const ranged = await ask(server.hub, pathOf(digest), { headers: { range: "bytes=0-" } });
    expect(ranged.headers.location).toBeUndefined();
    expect((await ask(server.hub, pathOf(digest), { method: "HEAD" })).headers.location).toBeUndefined();
  });
});

describe("a range", () => {
  test.each([
    ["bytes=500-1499", 500, 1499],
    ["bytes=500-", 500, 2047],
    ["bytes=-500", 1548, 2047],
    ["bytes=2000-5000", 2000, 2047],
    ["bytes=0-", 0, 2047],
    ["bytes=2000-2048", 2000, 2047],
    ["bytes=-9999", 0, 2047],
    ["bytes=0-0", 0, 0],
  ])("%s is a 206 with exactly those bytes", async (range, first, last) => {
    const digest = server.mirror.addBlob(bytes);
    const answer = await ask(server.hub, pathOf(digest), { headers: { range } });
    expect(answer).toMatchObject({
      status: 206,
      headers: {
        "content-range": `bytes ${first}-${last}/${SIZE}`,
        "content-length": String(last - first + 1),
        "content-type": "application/octet-stream",
        "docker-content-digest": digest,
      },
      body: bytes.subarray(first, last + 1),
    });
  });

  test("that is the whole blob is read as a whole, so that nobody ends with a wrong one (F18)", async () => {
    const digest = server.mirror.addBlob(bytes);
    for (const range of ["bytes=0-", "bytes=0-2047", "bytes=-2048", "bytes=1-", "bytes=0-2046"])
      expect(await ask(server.hub, pathOf(digest), { headers: { range } })).toMatchObject({ status: 206 });
    const parts = [
      { start: 1, end: 2048 },
      { start: 0, end: 2047 },
    ];
    expect(server.mirror.readBy).toEqual(["whole", "whole", "whole", ...parts]);
  });

  test.each(["bytes=500-0", "bytes=5000-10000", "bytes=2048-"])(
    "%s is a 416 with a short length of its own",
    async (range) => {
      const answer = await ask(server.hub, pathOf(server.mirror.addBlob(bytes)), { headers: { range } });
      expect(answer).toMatchObject({
        status: 416,
        isComplete: true,
        headers: { "content-range": "bytes */2048" },
      });
      expect(answer.headers["content-length"]).toBe(String(answer.body.byteLength));
      expect(errorsOf(answer)).toHaveLength(1);
    },
  );

  test.each(["items=0-1", "bytes=x", "bytes=0-,0-"])("%s is the whole blob", async (range) => {
    const answer = await ask(server.hub, pathOf(server.mirror.addBlob(bytes)), { headers: { range } });
    expect(answer).toMatchObject({ status: 200, body: bytes });
  });

  test("counts only while If-Range names this blob", async () => {
    const digest = server.mirror.addBlob(bytes);
    const status = async (ifRange: string) =>
      (await ask(server.hub, pathOf(digest), { headers: { range: "bytes=0-1", "if-range": ifRange } }))
        .status;
    expect(await status(`"${digest}"`)).toBe(206);
    expect(await status(`W/"${digest}"`)).toBe(200);
    expect(await status('"other"')).toBe(200);
    expect(await status("Wed, 21 Oct 2026 07:28:00 GMT")).toBe(200);
  });

  test("needs no Authorization and no known user agent", async () => {
    const digest = server.mirror.addBlob(bytes);
    const headers = {
      range: "bytes=0-1",
      "user-agent": "Go-http-client/1.1",
      authorization: "garbage without a scheme",
    };
    expect((await ask(server.ollama, pathOf(digest, "library/m"), { headers })).status).toBe(206);
  });
});

describe("a body that cannot go on", () => {
  const big = patternBytes(3, 0, 3 * 2 ** 20);
  /** Reads up to `offset` go well, the next one does what `then` says. */
  const hookAt = (offset: number, then: () => Promise<void>) => async (at: number) => {
    if (at >= offset) await then();
  };
  const fail = async () => {
    throw new GranaryError("digest-mismatch", "The bytes are not what they should be.");
  };

  test("is destroyed, never ended, once headers are out (F18)", async () => {
    const digest = server.mirror.addBlob(big, { hook: hookAt(2 * 2 ** 20, fail) });
    const answer = await ask(server.hub, pathOf(digest));
    expect(answer.status).toBe(200);
    expect(answer.isComplete).toBe(false);
    expect(answer.body.byteLength).toBeLessThan(big.byteLength);
    expect(big.subarray(0, answer.body.byteLength).equals(answer.body)).toBe(true);
  });

  test("becomes a proper status before headers are out", async () => {
    const digest = server.mirror.addBlob(big, { hook: fail, outcome: "miss" });
    const answer = await ask(server.hub, pathOf(digest));
    expect([answer.status, errorsOf(answer)[0]?.code]).toEqual([502, "UNAVAILABLE"]);
  });

  test("is destroyed when it ends short of its length (F2)", async () => {
    const digest = server.mirror.addBlob(big, { size: big.byteLength + 1 });
    expect(await ask(server.hub, pathOf(digest))).toMatchObject({ status: 200, isComplete: false });
  });

  test("is destroyed when it goes on past its length (F2)", async () => {
    const digest = server.mirror.addBlob(big, { size: big.byteLength - 1 });
    const answer = await ask(server.hub, pathOf(digest));
    expect(answer.isComplete).toBe(false);
    expect(answer.body.byteLength).toBeLessThan(big.byteLength);
  });

  test("has its headers within a second, though no byte comes", async () => {
    const never = () => new Promise<void>(() => undefined);
    const digest = server.mirror.addBlob(big, { hook: never, outcome: "miss" });
    const socket = await openSocket(server.hub);
    const startedAt = performance.now();
    socket.write(`GET ${pathOf(digest)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const head = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    expect(head.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head.toString()).toContain(`Content-Length: ${big.byteLength}`);
    expect(performance.now() - startedAt).toBeGreaterThan(500);
    socket.resetAndDestroy();
    await until(() => server.mirror.readers === 0 && server.mirror.pins === 0);
  });
});

/** By a reset: an orderly close alone may be a client that goes on reading (half-closed.test.ts). */
describe("a blob whose size nobody states", () => {
  const big = patternBytes(5, 0, 3 * 2 ** 20 + 5);

  test("comes in chunks and whole, also where a range was asked for, and HEAD tells no length", async () => {
    const digest = server.mirror.addBlob(big, { isUnsized: true });
    for (const headers of [{}, { range: "bytes=5-9" }]) {
      const answer = await ask(server.hub, pathOf(digest), { headers });
      expect(answer).toMatchObject({
        status: 200,
        isComplete: true,
        headers: { "transfer-encoding": "chunked" },
      });
      expect(answer.headers["content-length"]).toBeUndefined();
      expect(answer.body.equals(big)).toBe(true);
    }
    const head = await ask(server.hub, pathOf(digest), { method: "HEAD" });
    expect(head).toMatchObject({ status: 200, headers: { "docker-content-digest": digest } });
    expect(head.headers["content-length"]).toBeUndefined();
  });

  test("that fails is destroyed before its last chunk, and is not begun where its end could not be told (F18)", async () => {
    const hook = async (at: number) => {
      if (at > 2 ** 20) throw new GranaryError("digest-mismatch", "The bytes are not what they should be.");
    };
    const failing = server.mirror.addBlob(big, { isUnsized: true, hook });
    expect(await ask(server.hub, pathOf(failing))).toMatchObject({ status: 200, isComplete: false });
    const digest = server.mirror.addBlob(patternBytes(6, 0, 100), { isUnsized: true });
    const answer = await sendRaw(server.hub, `GET ${pathOf(digest)} HTTP/1.0\r\nHost: x\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 502 [\s\S]*HTTP\/1\.1/);
  });
});

describe("a client that leaves", () => {
  const big = patternBytes(4, 0, 4 * 2 ** 20);

  async function leave(after: "headers" | "request", path: string): Promise<void> {
    const socket = await openSocket(server.hub);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    if (after === "headers") await new Promise((resolve) => socket.once("data", resolve));
    else await until(() => server.mirror.readers > 0);
    socket.resetAndDestroy();
  }

  test("while the reader is parked gives back reader and pin (F5, F12)", async () => {
    const digest = server.mirror.addBlob(big, { hook: () => new Promise(() => undefined), outcome: "miss" });
    await leave("request", pathOf(digest));
    await until(() => server.mirror.readers === 0 && server.mirror.pins === 0);
  });

  test("a hundred times after the first bytes of bytes=0- leaves nothing behind", async () => {
    const digest = server.mirror.addBlob(big);
    for (let round = 0; round < 100; round++) await leave("headers", pathOf(digest));
    await until(() => server.mirror.readers === 0 && server.mirror.pins === 0);
    expect((await ask(server.hub, pathOf(digest))).isComplete).toBe(true);
  });

  test("without reading stops nobody else (F7)", async () => {
    const digest = server.mirror.addBlob(big);
    const stalled = await openSocket(server.hub);
    stalled.pause();
    stalled.write(`GET ${pathOf(digest)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until(() => server.mirror.readers === 1);
    expect((await ask(server.hub, pathOf(digest))).body.equals(big)).toBe(true);
    stalled.destroy();
    await until(() => server.mirror.pins === 0);
  });

  test("with requests in the queue of its connection leaves nothing behind, and none of them begins (F12)", async () => {
    const digest = server.mirror.addBlob(big, { hook: () => new Promise(() => undefined), outcome: "miss" });
    const socket = await openSocket(server.hub);
    socket.write(`GET ${pathOf(digest)} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(3));
    await until(() => server.mirror.readers === 1);
    socket.resetAndDestroy();
    await until(() => server.mirror.readers === 0 && server.mirror.pins === 0);
    await until(() => server.lines.some(({ outcome }) => outcome === "aborted"));
    expect(server.mirror.asked).toHaveLength(1);
  });

  test("before the blob was looked up begins no body (F12)", async () => {
    const digest = server.mirror.addBlob(big);
    let answer: () => void = () => undefined;
    const looking = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const blob = server.mirror.blob.bind(server.mirror);
    server.mirror.blob = async (target, asker) => {
      await looking;
      return await blob(target, asker);
    };
    const socket = await openSocket(server.hub);
    socket.write(`GET ${pathOf(digest)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await nextTurn();
    socket.resetAndDestroy();
    await until(() => server.lines.some(({ outcome }) => outcome === "aborted"));
    answer();
    await until(() => server.mirror.asked.length === 1 && server.mirror.pins === 0);
    expect(server.mirror.readers).toBe(0);
  });
});

test("bytes are counted once per body, and logged (item 6)", async () => {
  const digest = server.mirror.addBlob(bytes);
  await ask(server.hub, pathOf(digest), { headers: { range: "bytes=0-99" } });
  await ask(server.hub, pathOf(digest), { method: "HEAD" });
  await until(() => server.lines.filter(({ msg }) => msg === "request").length === 2);
  const { values } = await server.metrics.clientBytes.get();
  expect(values).toEqual([{ labels: { kind: "blob", upstream: "docker.io" }, value: 100 }]);
  expect(server.lines.filter(({ msg }) => msg === "request")).toMatchObject([
    { method: "GET", path: pathOf(digest), status: 206, bytes: 100, outcome: "hit", upstream: "docker.io" },
    { method: "HEAD", status: 200, bytes: 0 },
  ]);
});
