/** Owns the tests of the blob Origin: exact ranges, and every way in which an answer can be wrong. */
import { describe, expect, it } from "vitest";
import type { Fault } from "../../support/fake-registry.ts";
import { firstDifference } from "../../support/pattern.ts";
import { readRange } from "../../support/read-range.ts";
import { patient, startUpstream } from "../../support/start-upstream.ts";

const SIZE = 3_000_000;
const SEED = 11;

async function startOrigin(settings = {}, policy = {}) {
  const started = await startUpstream({ mode: "plain", settings }, { policy });
  const digest = started.fake.addGeneratedBlob({ seed: SEED, size: SIZE });
  const origin = started.client.blobOrigin("library/x", digest);
  const spoil = (fault: Fault, times = 1) => started.fake.fail(/blobs/, fault, { times });
  return { ...started, digest, origin, spoil };
}

describe("a range", () => {
  it("carries exactly the bytes that were asked for", async () => {
    const { origin, fake } = await startOrigin();
    for (const [start, end] of [
      [0, 1],
      [0, SIZE],
      [1_234_567, 2_345_678],
      [SIZE - 1, SIZE],
    ] as const) {
      const bytes = await readRange(origin, { start, end });
      expect(bytes).toHaveLength(end - start);
      expect(firstDifference(SEED, start, bytes)).toBeUndefined();
    }
    expect(fake.requests.map(({ range }) => range)).toContain("bytes=1234567-2345677");
  });

  it("states the total size", async () => {
    const { origin } = await startOrigin();
    const opened = await origin.open({ start: 5, end: 10 }, patient);
    expect(opened).toMatchObject({ range: { start: 5, end: 10 }, size: SIZE, rangeBlind: false });
    opened.dismiss();
  });

  it("ends early where the blob does", async () => {
    const { origin } = await startOrigin();
    const opened = await origin.open({ start: SIZE - 10, end: SIZE + 500 }, patient);
    expect(opened.range).toEqual({ start: SIZE - 10, end: SIZE });
    opened.dismiss();
  });

  it("past the end is range-unsatisfiable", async () => {
    const { origin } = await startOrigin();
    await expect(origin.open({ start: SIZE, end: SIZE + 1 }, patient)).rejects.toMatchObject({
      code: "range-unsatisfiable",
    });
  });

  it("of an absent blob is not-found", async () => {
    const { client, digest } = await startOrigin();
    const absent = client.blobOrigin("library/x", `${digest.slice(0, -1)}0` as typeof digest);
    await expect(absent.open({ start: 0, end: 1 }, patient)).rejects.toMatchObject({ code: "not-found" });
  });

  it("comes over a socket of its own when several are open (H1 sockets, one request each)", async () => {
    const { origin, fake } = await startOrigin({ bandwidth: { registry: 200_000_000, cdn: undefined } });
    const starts = Array.from({ length: 16 }, (_, index) => index * 180_000);
    const opened = await Promise.all(
      starts.map((start) => origin.open({ start, end: start + 180_000 }, patient)),
    );
    expect(new Set(fake.requests.map(({ connection }) => connection)).size).toBe(16);
    for (const each of opened) each.dismiss();
  });

  it("reuses the connection of a range that was read to its end", async () => {
    const { origin, fake } = await startOrigin();
    await readRange(origin, { start: 0, end: 1000 });
    await readRange(origin, { start: 1000, end: 2000 });
    expect(new Set(fake.requests.map(({ connection }) => connection)).size).toBe(1);
  });
});

describe("leaving", () => {
  it("closes the connection when the iteration ends early", async () => {
    const { origin, fake } = await startOrigin({ bandwidth: { registry: 2_000_000, cdn: undefined } });
    const opened = await origin.open({ start: 0, end: SIZE }, patient);
    for await (const chunk of opened.body) if (chunk.length > 0) break;
    await expect.poll(() => fake.connections).toBe(0);
    expect(fake.bytesSentFor(fake.requests[0]?.reference ?? "")).toBeLessThan(SIZE);
  });

  it("closes the connection of a body that nobody began", async () => {
    const { origin, fake } = await startOrigin({ bandwidth: { registry: 2_000_000, cdn: undefined } });
    const opened = await origin.open({ start: 0, end: SIZE }, patient);
    opened.dismiss();
    opened.dismiss();
    await expect.poll(() => fake.connections).toBe(0);
  });

  it("ends a parked read, and the request, when the signal aborts", async () => {
    const { origin, fake, spoil } = await startOrigin();
    spoil({ kind: "stall", afterBytes: 1000 });
    const controller = new AbortController();
    const opened = await origin.open({ start: 0, end: SIZE }, controller.signal);
    const iterator = opened.body[Symbol.asyncIterator]();
    await iterator.next();
    const parked = iterator.next();
    controller.abort();
    await expect(parked).rejects.toMatchObject({ code: "aborted" });
    await expect.poll(() => fake.connections).toBe(0);
  });

  it("before the headers is aborted, too", async () => {
    const { origin, spoil } = await startOrigin();
    spoil({ kind: "hang" });
    const controller = new AbortController();
    const opening = origin.open({ start: 0, end: SIZE }, controller.signal);
    controller.abort();
    await expect(opening).rejects.toMatchObject({ code: "aborted" });
  });

  it("after the client was closed is closed", async () => {
    const { origin, client } = await startOrigin();
    await client.close();
    await expect(origin.open({ start: 0, end: 1 }, patient)).rejects.toMatchObject({ code: "closed" });
  });
});

describe("a body that goes wrong", () => {
  const RANGE = { start: 100, end: 1_000_100 };

  it.each<Fault>([
    { kind: "cut", afterBytes: 300_000 },
    { kind: "cut", afterBytes: 0 },
    { kind: "short", afterBytes: 300_000, framing: "chunked" },
    { kind: "short", afterBytes: 300_000, framing: "fin" },
    { kind: "short", afterBytes: 300_000, framing: "wrong-length" },
  ])("is upstream-unavailable when it is short: $kind $framing $afterBytes", async (fault) => {
    const { origin, spoil } = await startOrigin();
    spoil(fault);
    await expect(readRange(origin, RANGE)).rejects.toMatchObject({ code: "upstream-unavailable" });
    expect(await readRange(origin, RANGE)).toHaveLength(1_000_000);
  });

  it("is upstream-unavailable when it stalls, after the time without a byte and not in total", async () => {
    const { origin, spoil } = await startOrigin({}, { stallMs: 300 });
    spoil({ kind: "stall", afterBytes: 300_000 });
    await expect(readRange(origin, RANGE)).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringContaining("stalled"),
    });
  });

  it("may drip for longer than the stall time as long as bytes come", async () => {
    const { origin, spoil } = await startOrigin({}, { stallMs: 1_500 });
    spoil({ kind: "drip", bytes: 100, everyMs: 250 });
    const begunAt = performance.now();
    expect(await readRange(origin, { start: 0, end: 900 })).toHaveLength(900);
    expect(performance.now() - begunAt).toBeGreaterThan(1_600);
  });

  it("may be read later than the stall time: a slow reader is no stall", async () => {
    const { origin } = await startOrigin({}, { stallMs: 1_000 });
    const opened = await origin.open({ start: 0, end: SIZE }, patient);
    await new Promise((resolve) => setTimeout(resolve, 1_800));
    let length = 0;
    for await (const chunk of opened.body) length += chunk.length;
    expect(length).toBe(SIZE);
  });

  it.each(["chunked", "length"] as const)("is cut when it is longer than announced (%s)", async (framing) => {
    const { origin, spoil } = await startOrigin();
    spoil({ kind: "extra", bytes: 5000, framing });
    const bytes = await readRange(origin, RANGE);
    expect(bytes).toHaveLength(1_000_000);
    expect(firstDifference(SEED, RANGE.start, bytes)).toBeUndefined();
    expect(await readRange(origin, RANGE)).toHaveLength(1_000_000);
  });
});

describe("headers that go wrong", () => {
  const RANGE = { start: 100, end: 200 };

  it.each([
    "bytes 101-200/3000000",
    "bytes 0-99/3000000",
    "bytes 100-199/150",
    "bytes 199-100/3000000",
    "100-199/3000000",
    "bytes */3000000",
    null,
  ])("are upstream-protocol: Content-Range %s", async (value) => {
    const { origin, spoil } = await startOrigin();
    spoil({ kind: "headers", headers: { "content-range": value } });
    await expect(origin.open(RANGE, patient)).rejects.toMatchObject({ code: "upstream-protocol" });
  });

  it("are cut to what was asked when the answer is longer", async () => {
    const { origin, spoil } = await startOrigin();
    spoil({
      kind: "headers",
      headers: { "content-range": `bytes 100-299/${SIZE}`, "content-length": "100" },
    });
    const opened = await origin.open(RANGE, patient);
    expect(opened.range).toEqual(RANGE);
    opened.dismiss();
  });

  it("are taken from nodes that each have a validator of their own: the digest decides", async () => {
    const { origin, spoil, fake } = await startOrigin();
    for (const etag of ['"one"', '"another"', 'W/"weak"', null, "none at all"]) {
      spoil({ kind: "headers", headers: { etag } });
      expect(await readRange(origin, RANGE)).toHaveLength(100);
    }
    expect(fake.requests).toHaveLength(5);
  });

  it("are upstream-protocol when the total changes", async () => {
    const { origin, spoil } = await startOrigin();
    await readRange(origin, RANGE);
    spoil({ kind: "headers", headers: { "content-range": "bytes 100-199/4000000" } });
    await expect(origin.open(RANGE, patient)).rejects.toMatchObject({
      code: "upstream-protocol",
      facts: { expected: SIZE, found: 4_000_000 },
    });
  });

  it("are refused when the body is encoded", async () => {
    const { origin, spoil, fake } = await startOrigin();
    spoil({ kind: "gzip" });
    await expect(origin.open(RANGE, patient)).rejects.toMatchObject({
      code: "upstream-protocol",
      message: expect.stringContaining("Content-Encoding gzip"),
    });
    expect(fake.requests[0]?.headers["accept-encoding"]).toBe("identity");
  });

  it("report an upstream that ignores ranges: the whole, from 0 (F15)", async () => {
    const { origin, spoil } = await startOrigin();
    spoil({ kind: "ignore-range" });
    const opened = await origin.open(RANGE, patient);
    expect(opened).toMatchObject({ rangeBlind: true, range: { start: 0, end: SIZE }, size: SIZE });
    let length = 0;
    for await (const chunk of opened.body) length += chunk.length;
    expect(length).toBe(SIZE);
  });

  it("of 900 KB are read, of more than 1 MiB are upstream-protocol, and it is said whose fault that is", async () => {
    const { origin, spoil } = await startOrigin();
    spoil({ kind: "big-headers", bytes: 900_000 });
    expect(await readRange(origin, RANGE)).toHaveLength(100);
    spoil({ kind: "big-headers", bytes: 1_100_000 });
    await expect(origin.open(RANGE, patient)).rejects.toMatchObject({
      code: "upstream-protocol",
      message: expect.stringContaining("its headers are longer than 1 MiB, which is its fault"),
    });
  });
});

describe("an upstream that fails", () => {
  const RANGE = { start: 0, end: 10 };

  it.each<Fault>([{ kind: "reset" }, { kind: "hang-up" }])(
    "is upstream-unavailable: $kind",
    async (fault) => {
      const { origin, spoil } = await startOrigin();
      spoil(fault);
      await expect(origin.open(RANGE, patient)).rejects.toMatchObject({ code: "upstream-unavailable" });
    },
  );

  it("is upstream-unavailable when no headers come in time", async () => {
    const { origin, spoil } = await startOrigin({}, { headersMs: 200 });
    spoil({ kind: "hang" });
    await expect(origin.open(RANGE, patient)).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringContaining("no headers came in time"),
    });
  });

  it.each([
    [500, "upstream-unavailable"],
    [503, "upstream-unavailable"],
    [403, "denied"],
    [418, "upstream-refused"],
  ])("maps %i to %s and is asked once: trying again is the Fill's", async (status, code) => {
    const { origin, spoil, fake } = await startOrigin();
    spoil({ kind: "status", status, body: "<html>no</html>" });
    await expect(origin.open(RANGE, patient)).rejects.toMatchObject({
      code,
      facts: { upstreamStatus: status },
    });
    expect(fake.count()).toBe(1);
  });

  it("counts requests and bytes by upstream and kind", async () => {
    const { origin, metrics } = await startOrigin();
    await readRange(origin, { start: 0, end: SIZE });
    const text = await metrics.registry.metrics();
    expect(text).toContain(`granary_upstream_bytes_total{upstream="fake.test",kind="blob"} ${SIZE}`);
    expect(text).toContain(
      'granary_upstream_requests_total{upstream="fake.test",kind="blob",method="GET",status="206"} 1',
    );
  });
});
