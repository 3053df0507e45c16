/**
 * Shows that the Ollama stand-in is as strict as the real client: its requests to the letter, what it accepts from
 * the probe, what it makes of broken parts. The servers are a few lines each, so that a fault of ours cannot hide.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { FilePlace } from "./ollama-client/file-place.ts";
import {
  OLLAMA_0_3_0,
  OLLAMA_0_3_6,
  OLLAMA_0_3_10,
  OLLAMA_0_34_2,
  type OllamaVersion,
} from "./ollama-client/ollama-version.ts";
import { PatternPlace } from "./ollama-client/pattern-place.ts";
import { type PullOptions, pullModel } from "./ollama-client.ts";
import { patternBytes } from "./pattern.ts";

const SIZE = 100_000;
const LAYER = patternBytes(5, 0, SIZE);
const LAYER_DIGEST = digestOf(LAYER);
const CONFIG = Buffer.from("{}");
const MANIFEST = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    config: { digest: digestOf(CONFIG), size: CONFIG.length, mediaType: "c" },
    layers: [{ digest: LAYER_DIGEST, size: SIZE, mediaType: "application/vnd.ollama.image.model" }],
  }),
);
const LIMITS = { smallest: 10_000, largest: 1_000_000 };

let cleanup: AsyncDisposableStack;
let directory: string;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  directory = await mkdtemp(join(tmpdir(), "granary-ollama-client-"));
  cleanup.defer(() => rm(directory, { recursive: true }));
});
afterEach(() => cleanup.disposeAsync());

async function listen(onRequest: RequestListener, address = "127.0.0.1"): Promise<string> {
  const server = createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  cleanup.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `${address}:${(server.address() as AddressInfo).port}`;
}

/** A registry that answers blobs with 200 and Location, with `spoil` in the way of any request it takes. */
function serve(
  spoil: (request: IncomingMessage, response: ServerResponse, bytes: Buffer) => boolean = () => false,
) {
  const seen: IncomingMessage[] = [];
  const answer: RequestListener = (request, response) => {
    seen.push(request);
    const path = new URL(request.url ?? "", "http://x").pathname;
    const whole = path.endsWith(LAYER_DIGEST) ? LAYER : path.endsWith(digestOf(CONFIG)) ? CONFIG : MANIFEST;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const bytes = from === undefined ? whole : whole.subarray(Number(from), Number(to) + 1);
    if (spoil(request, response, bytes)) return;
    const headers = { "content-length": bytes.length, location: `${path}?ticket=7` };
    response.writeHead(from === undefined ? 200 : 206, headers);
    response.end(request.method === "HEAD" ? undefined : bytes);
  };
  return { seen, answer };
}

async function pullFrom(host: string, more: Partial<PullOptions> = {}) {
  const placeFor: PullOptions["placeFor"] = ({ digest }) => new FilePlace(directory, digest);
  return pullModel({ name: `${host}/library/tiny`, placeFor, limits: LIMITS, timeScale: 0.001, ...more });
}

const isPart = ({ headers }: IncomingMessage) => headers.range !== undefined;

test("The requests are the real client's: who says what, with which headers", async () => {
  const { seen, answer } = serve();
  const pulled = await pullFrom(await listen(answer), { token: "held" });
  expect(pulled.manifestDigest).toBe(digestOf(MANIFEST));
  expect(await readFile(join(directory, LAYER_DIGEST.replace(":", "-")))).toEqual(LAYER);
  const [manifest, head, probe, ...rest] = seen;
  expect(manifest?.headers.accept).toBe("application/vnd.docker.distribution.manifest.v2+json");
  expect(manifest?.headers["accept-encoding"]).toBe("gzip");
  expect(head?.method).toBe("HEAD");
  expect(head?.headers["accept-encoding"]).toBeUndefined();
  expect(probe?.headers.range).toBeUndefined();
  for (const own of [manifest, head, probe]) {
    expect(own?.headers["user-agent"]).toMatch(/^ollama\/0\.32\.15 \(amd64 linux\)/);
    expect(own?.headers.authorization).toBe("Bearer held");
  }
  const parts = rest.filter(isPart).filter(({ url }) => url?.includes(LAYER_DIGEST));
  expect(parts).toHaveLength(10);
  for (const part of parts) {
    expect(part.headers["user-agent"]).toBe("Go-http-client/1.1");
    expect(part.headers.authorization).toBeUndefined();
    expect(part.url).toContain("?ticket=7");
  }
});

test("The probe ends its connection without reading the body", async () => {
  let taken = 0;
  let gone: (bytes: number) => void;
  const ended = new Promise<number>((resolve) => {
    gone = resolve;
  });
  const { answer } = serve((request, response) => {
    if (isPart(request) || request.method === "HEAD" || !request.url?.includes(LAYER_DIGEST)) return false;
    response.writeHead(200, { "content-length": 2 ** 40, location: request.url });
    const pump = () => {
      while (response.write(LAYER)) taken += SIZE;
    };
    response.on("drain", pump).on("close", () => gone(taken));
    pump();
    return true;
  });
  await pullFrom(await listen(answer));
  expect(await ended).toBeLessThan(64e6);
});

describe("Every version of the probe", () => {
  const direct = () => serve();
  const bare = () =>
    serve((request, response, bytes) => {
      if (isPart(request)) return false;
      response.writeHead(200, { "content-length": bytes.length });
      response.end(request.method === "HEAD" ? undefined : bytes);
      return true;
    });
  const matrix: [OllamaVersion, string | undefined, string | undefined, boolean][] = [
    [OLLAMA_0_3_0, undefined, undefined, true],
    [OLLAMA_0_3_6, "unexpected status code 200", "unexpected status code 200", true],
    [OLLAMA_0_3_10, undefined, "http: no Location header in response", true],
    [OLLAMA_0_34_2, undefined, "http: no Location header in response", true],
  ];
  test.each(matrix.map(([version, withLocation, without]) => ({ version, withLocation, without })))(
    "$version.name takes what it takes",
    async ({ version, withLocation, without }) => {
      const outcome = async (answer: RequestListener) =>
        pullFrom(await listen(answer), { version, placeFor: () => new Anything() }).then(
          () => undefined,
          (error: Error) => error.message,
        );
      expect(await outcome(direct().answer)).toBe(withLocation);
      expect(await outcome(bare().answer)).toBe(without);
      const far = await listen(serve().answer, "127.0.0.2");
      const redirecting = serve((request, response) => {
        if (request.method === "HEAD" || !request.url?.includes("/blobs/")) return false;
        response.writeHead(307, { location: `http://${far}${request.url}` }).end();
        return true;
      });
      expect(await outcome(redirecting.answer)).toBe(undefined);
    },
  );
});

test("A manifest that redirects to another host is refused from 0.34.2 on", async () => {
  const far = await listen(serve().answer, "127.0.0.2");
  const near = await listen((request, response) => {
    response.writeHead(307, { location: `http://${far}${request.url}` }).end();
  });
  await pullFrom(near, { version: OLLAMA_0_3_10 });
  await expect(pullFrom(near, { version: OLLAMA_0_34_2 })).rejects.toThrow(
    "blocked redirect to a different host",
  );
});

/** Plays a fault on the first request for the part that starts at 20,000. */
function spoilOnePart(fault: (response: ServerResponse, bytes: Buffer) => void) {
  let spent = false;
  return serve((request, response, bytes) => {
    if (spent || !request.headers.range?.startsWith("bytes=20000-")) return false;
    spent = true;
    fault(response, bytes);
    return true;
  });
}

test("A cut part keeps its bytes and goes on; a part that ends short and cleanly starts again", async () => {
  const cut = spoilOnePart((response, bytes) => {
    response.writeHead(206, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 4000), () => response.destroy());
  });
  await pullFrom(await listen(cut.answer));
  expect(rangesOf(cut.seen)).toContain("bytes=24000-29999");

  await rm(join(directory, LAYER_DIGEST.replace(":", "-")));
  const short = spoilOnePart((response, bytes) => response.writeHead(206).end(bytes.subarray(0, 4000)));
  await pullFrom(await listen(short.answer));
  expect(rangesOf(short.seen).filter((range) => range === "bytes=20000-29999")).toHaveLength(2);
});

function rangesOf(seen: readonly IncomingMessage[]): string[] {
  return seen.flatMap(({ headers }) => headers.range ?? []);
}

test("An error page in place of a part is written like any bytes, and found out by the digest", async () => {
  const { answer } = spoilOnePart((response) => response.writeHead(500).end("x".repeat(20_000)));
  await expect(pullFrom(await listen(answer))).rejects.toThrow("digest mismatch");
});

test("A part that fails six times fails the pull; a stalled one is asked for again without being counted", async () => {
  const refuse = serve((request, response) => {
    if (!request.headers.range?.startsWith("bytes=20000-")) return false;
    response.writeHead(503).end("no");
    return true;
  });
  await expect(pullFrom(await listen(refuse.answer))).rejects.toThrow("max retries exceeded: EOF");
  expect(rangesOf(refuse.seen).filter((range) => range === "bytes=20000-29999")).toHaveLength(6);

  let stalls = 8;
  const stall = serve((request, response, bytes) => {
    if (!request.headers.range?.startsWith("bytes=20") || stalls === 0) return false;
    stalls -= 1;
    response.writeHead(206, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 10));
    return true;
  });
  await pullFrom(await listen(stall.answer), { limitScale: 0.01 });
  expect(stalls).toBe(0);
  expect(rangesOf(stall.seen)).toContain("bytes=20080-29999");
});

test("A pull that was interrupted goes on from its saved parts, without a HEAD", async () => {
  const { seen, answer } = spoilOnePart((response, bytes) => {
    response.writeHead(206, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 4000));
  });
  const host = await listen(answer);
  const interrupt = new AbortController();
  let received = 0;
  const onBytes = (count: number) => {
    received += count;
    if (received === SIZE - 6000) interrupt.abort();
  };
  await expect(pullFrom(host, { signal: interrupt.signal, onBytes, timeScale: 1 })).rejects.toThrow();
  const before = seen.length;
  await pullFrom(host, { onBytes });
  const later = seen.slice(before).filter(({ url }) => url?.includes(LAYER_DIGEST));
  expect(later.filter(({ method }) => method === "HEAD")).toEqual([]);
  expect(rangesOf(later)).toEqual(["bytes=24000-29999"]);
  expect(received).toBe(SIZE + CONFIG.length);
});

test("Through a proxy, requests have the absolute form, and the plain name stays", async () => {
  const { seen, answer } = serve();
  const proxy = `http://${await listen(answer)}`;
  const placeFor: PullOptions["placeFor"] = ({ digest }) => new FilePlace(directory, digest);
  await pullModel({ name: "tiny", proxy, placeFor, limits: LIMITS });
  expect(seen.length).toBeGreaterThan(10);
  for (const { url, headers } of seen) {
    expect(url).toMatch(/^http:\/\/registry\.ollama\.ai\/v2\/library\/tiny\//);
    expect(headers.host).toBe("registry.ollama.ai");
  }
});

test("A challenge is answered with a signed token request, but only on the same host", async () => {
  let realm = "";
  const tokens: string[] = [];
  const guarded: RequestListener = (request, response) => {
    if (request.url?.startsWith("/token")) {
      tokens.push(request.headers.authorization ?? "");
      response.end(JSON.stringify({ token: "fresh" }));
    } else if (request.url?.includes("/manifests/") && request.headers.authorization !== "Bearer fresh") {
      response
        .writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="s",scope="a b"` })
        .end();
    } else serve().answer(request, response);
  };
  const host = await listen(guarded);
  realm = "http://127.0.0.2:1/token";
  await expect(pullFrom(host)).rejects.toThrow(`realm host "127.0.0.2:1" does not match`);
  realm = `http://${host}/token`;
  await pullFrom(host);
  expect(tokens).toHaveLength(1);
  expect(tokens[0]).toMatch(/^[A-Za-z0-9+/]+=*:[A-Za-z0-9+/]+=*$/);
});

/** Takes any bytes: for tests of what is asked, not of what arrives. */
class Anything extends PatternPlace {
  constructor() {
    super({ seed: 0, size: 0 });
  }
  override async verify(): Promise<void> {}
}
