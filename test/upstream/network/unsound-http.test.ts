/** Shows which answers are read though they break HTTP's rules, because other clients take them, and what is said of the others. */
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { Fault } from "../../support/fake-registry.ts";
import { startForwardProxy } from "../../support/forward-proxy.ts";
import { firstDifference } from "../../support/pattern.ts";
import { readRange } from "../../support/read-range.ts";
import { askFor, clientOf, patient, startFake, startUpstream } from "../../support/start-upstream.ts";
import { caPem, serverCert, serverKey } from "../../support/throwaway-tls.ts";

const SIZE = 300_000;
const SEED = 23;
const CHUNKED = "Transfer-Encoding: chunked\r\n";

type Raw = Omit<Extract<Fault, { kind: "raw" }>, "kind">;

/** Adds lines before the empty one. */
const adding = (lines: string) => (head: string) => head.replace(/\r\n\r\n$/, `\r\n${lines}\r\n`);
const withoutLength = (head: string) => head.replace(/content-length: \d+\r\n/, "");
const lengthOf = (head: string) => /content-length: (\d+)/.exec(head)?.[1] ?? "";

const TAKEN: readonly (readonly [string, Raw])[] = [
  ["Transfer-Encoding beside Content-Length", { head: adding(CHUNKED), framing: "chunked" }],
  [
    "Transfer-Encoding before Content-Length",
    { head: (head) => head.replace("\r\n", `\r\n${CHUNKED}`), framing: "chunked" },
  ],
  ["Transfer-Encoding: identity", { head: adding("Transfer-Encoding: identity\r\n") }],
  [
    "the same Content-Length twice",
    { head: (head) => adding(`Content-Length: ${lengthOf(head)}\r\n`)(head) },
  ],
  [
    "the same Content-Length in one line",
    { head: (head) => head.replace(/content-length: (\d+)/, "content-length: $1, $1") },
  ],
  [
    "spaces around a Content-Length",
    { head: (head) => head.replace(/content-length: (\d+)/, "content-length:   $1  ") },
  ],
  ["a folded header", { head: adding("X-Long: one\r\n  two\r\n\tthree\r\n") }],
  ["lines without carriage returns", { head: (head) => head.replaceAll("\r\n", "\n") }],
  ["one line without a carriage return", { head: (head) => head.replace("\r\n", "\n") }],
  ["no reason", { head: (head) => head.replace(" As Told", "") }],
  ["a reason that is no ASCII", { head: (head) => head.replace("As Told", "Dé\u0001jà") }],
  ["early hints", { head: (head) => `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${head}` }],
  ["100 Continue, unasked", { head: (head) => `HTTP/1.1 100 Continue\r\n\r\n${head}` }],
  ["several interim answers", { head: (head) => `${"HTTP/1.1 102 Processing\r\n\r\n".repeat(3)}${head}` }],
  ["an empty line first", { head: (head) => `\r\n${head}` }],
  ["HTTP/1.0", { head: (head) => head.replace("HTTP/1.1", "HTTP/1.0") }],
  ["HTTP/1.2", { head: (head) => head.replace("HTTP/1.1", "HTTP/1.2") }],
  ["a space before a colon", { head: adding("X-Odd : value\r\n") }],
  ["a name that is none", { head: adding("X(Odd): value\r\n: empty\r\nnonsense\r\n") }],
  ["control characters", { head: adding("X-Odd: a\u0001b\u0000c\r\n") }],
  ["70 KB of headers", { head: adding(`X-Filler: ${"x".repeat(7_000)}\r\n`.repeat(10)) }],
  ["headers twice", { head: twice }],
  ["no Content-Type", { head: (head) => head.replace(/content-type: [^\r\n]*\r\n/, "") }],
  [
    "chunks with extensions, zeros and trailers",
    { head: (head) => adding(`${CHUNKED}Trailer: X-T\r\n`)(withoutLength(head)), framing: extended },
  ],
];

function extended(bytes: Buffer): Buffer {
  const size = `000${bytes.length.toString(16)};name="a value"\r\n`;
  const end = bytes.length === 0 ? "X-T: y\r\n\r\n" : "\r\n";
  return Buffer.concat([Buffer.from(size), bytes, Buffer.from(end)]);
}

function twice(head: string): string {
  const names = "content-type|docker-content-digest|etag|content-range";
  return head.replace(new RegExp(`((?:${names}): [^\\r\\n]*\\r\\n)`, "g"), "$1$1");
}

async function start() {
  const warnings: { readonly faults?: string[] }[] = [];
  const log = pino({ level: "warn" }, { write: (line) => void warnings.push(JSON.parse(line)) });
  const started = await startUpstream({ mode: "plain" }, {}, { log });
  const digest = started.fake.addGeneratedBlob({ seed: SEED, size: SIZE });
  const image = started.fake.addImage("x", "y", { layers: [10] });
  const spoil = (raw: Raw) =>
    started.fake.fail(/./, { kind: "raw", ...raw }, { times: Number.POSITIVE_INFINITY });
  const heal = () => started.fake.faults.splice(0);
  return { ...started, warnings, digest, image, spoil, heal };
}

describe("an answer that others take is read", () => {
  it("whatever small rule of HTTP it breaks", async () => {
    const { client, digest, image, spoil, heal, warnings } = await start();
    for (const [name, raw] of TAKEN) {
      spoil(raw);
      const body = await client.getManifest(askFor("x", "y"));
      expect(body?.digest, name).toBe(image.manifestDigest);
      expect((await client.headManifest(askFor("x", "y")))?.digest, name).toBe(image.manifestDigest);
      expect(await client.headBlob("x", digest), name).toMatchObject({ size: SIZE });
      for (const range of [
        { start: 0, end: SIZE },
        { start: 1_000, end: 200_000 },
      ]) {
        const bytes = await readRange(client.blobOrigin("x", digest), range);
        expect(firstDifference(SEED, range.start, bytes), name).toBeUndefined();
        expect(bytes, name).toHaveLength(range.end - range.start);
      }
      heal();
    }
    expect(warnings.flatMap(({ faults = [] }) => faults).sort()).toEqual(
      [
        "Content-Length beside Transfer-Encoding",
        "Content-Length more than once",
        "folded header lines",
        "lines that end without a carriage return",
        "another version of HTTP than was asked for",
        "a space after a header's name",
        "a line that is not a header",
        "control characters in a header",
      ].sort(),
    );
  });

  it("over https, and through a proxy's tunnel", async () => {
    const fake = await startFake({ mode: "plain", tls: { cert: serverCert, key: serverKey } });
    const digest = fake.addGeneratedBlob({ seed: SEED, size: SIZE });
    fake.fail(/./, { kind: "raw", head: adding(CHUNKED), framing: "chunked" }, { times: 2 });
    const proxy = await startForwardProxy();
    for (const env of [{}, { HTTPS_PROXY: proxy.url }]) {
      const { client } = clientOf(fake, {}, { env, tls: { ca: caPem } });
      expect(await readRange(client.blobOrigin("x", digest), { start: 0, end: SIZE })).toHaveLength(SIZE);
    }
    expect(proxy.asked).toHaveLength(1);
  });

  it("and its connection is used again", async () => {
    const { fake, client, digest } = await start();
    const length = String(SIZE);
    fake.fail(/blobs/, { kind: "headers", headers: { "content-length": [length, length] } }, { times: 4 });
    for (let time = 0; time < 4; time++) {
      expect(await readRange(client.blobOrigin("x", digest), { start: 0, end: SIZE })).toHaveLength(SIZE);
    }
    expect(new Set(fake.requests.map(({ connection }) => connection)).size).toBe(1);
  });
});

describe("an answer that nobody can take", () => {
  const REFUSED: readonly (readonly [string, Raw])[] = [
    ["two different Content-Lengths", { head: adding("Content-Length: 7\r\n") }],
    ["a Content-Length that is no number", { head: (head) => head.replace(/content-length: /, "$&+") }],
    ["a chunk without a length", { head: (head) => adding(CHUNKED)(withoutLength(head)) }],
    ["no HTTP", { head: () => "SSH-2.0-OpenSSH_9.9\r\n" }],
  ];

  it.each(REFUSED)("is an error that says whose fault it is: %s", async (_name, raw) => {
    const { client, digest, spoil } = await start();
    spoil(raw);
    const range = { start: 0, end: SIZE };
    await expect(readRange(client.blobOrigin("x", digest), range)).rejects.toMatchObject({
      code: "upstream-protocol",
      message: expect.stringContaining("its fault or that of a proxy before it"),
    });
  });

  it("never comes to a head, and is given up in time", async () => {
    const { client, digest, spoil, clock } = await start();
    spoil({ head: () => "HTTP/1.1 200 OK\r\nX-Cut: " });
    await expect(client.blobOrigin("x", digest).open({ start: 0, end: 1 }, patient)).rejects.toMatchObject({
      code: "upstream-unavailable",
    });
    expect(clock.aheadMs).toBe(0);
  });
});
