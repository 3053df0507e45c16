/** Shows that the listener of the nodes gives a byte to nobody but a node of its fleet, for what that node asked for, now. */
import { type IncomingMessage, request } from "node:http";
import { request as tlsRequest } from "node:https";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { type PeerQuestion, pathOf, sign } from "../../../src/fleet/peers/peer-request.ts";
import { Peers } from "../../../src/fleet/peers/peers.ts";
import { type InternalEntry, listenInternally } from "../../../src/http/internal/internal-listener.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import { parseDigest } from "../../../src/oci/digest.ts";
import { fleetNodes, SECRET } from "../../support/fleet-nodes.ts";
import {
  caPem,
  clientCert,
  clientKey,
  foreignCert,
  foreignKey,
  serverCert,
  serverKey,
} from "../../support/throwaway-tls.ts";

const MIB = 2 ** 20;
const SLOW = { bandwidth: { registry: MIB, cdn: MIB } };
const MINUTE_MS = 60_000;
const RANGE = "bytes=0-9";

type Asked = {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Status and bytes; a connection that breaks gives 0 and none. */
type Answer = { readonly status: number; readonly bytes: number };

async function ask(address: string, { method = "GET", path, headers = {} }: Asked): Promise<Answer> {
  return await answered((resolve, reject) =>
    request(`${address}${path}`, { method, headers }, resolve).once("error", reject).end(),
  );
}

async function answered(
  send: (resolve: (answer: IncomingMessage) => void, reject: (error: Error) => void) => void,
): Promise<Answer> {
  try {
    const answer = await new Promise<IncomingMessage>(send);
    let bytes = 0;
    for await (const chunk of answer) bytes += chunk.length;
    return { status: answer.statusCode ?? 0, bytes };
  } catch {
    return { status: 0, bytes: 0 };
  }
}

/** What a node named `to` would be sent. */
function signed(question: PeerQuestion, { secret = SECRET, to = "a", at = Date.now(), range = RANGE } = {}) {
  const path = pathOf(question);
  return { path, headers: { range, authorization: sign(secret, { path, range, node: to, at }) } };
}

/** A node that brings a blob at this moment: its address, and questions about that blob. */
async function fillingNode() {
  const { blob, node, shared } = await fleetNodes({ settings: SLOW });
  const a = await node("a");
  const it = blob(1, 3 * MIB);
  const reading = a.read(it);
  await expect.poll(() => a.transfers.held).toHaveLength(1);
  const [held] = a.transfers.held;
  const [lease] = shared.rows.leases.values();
  if (held === undefined || lease === undefined) throw new Error("nothing is held");
  const of = { upstream: held.upstream, digest: held.digest };
  const filling = { kind: "filling", ...of, epoch: lease.epoch } as const;
  return {
    address: a.address,
    reading,
    filling,
    kept: { kind: "kept", ...of },
    map: { kind: "map", ...of },
  } as const;
}

describe("G7: the listener of the nodes", () => {
  test("gives the holder's bytes to a node that knows the secret, and nothing of it once the epoch is over", async () => {
    const { address, reading, filling } = await fillingNode();
    const asked = signed(filling);
    expect(await ask(address, asked)).toEqual({ status: 206, bytes: 10 });
    const earlier = signed({ ...filling, epoch: filling.epoch - 1 });
    expect(await ask(address, earlier)).toEqual({ status: 409, bytes: 0 });
    await reading;
    // The very same request, replayed.
    await expect.poll(() => ask(address, asked)).toEqual({ status: 409, bytes: 0 });
  });

  test("refuses whoever does not prove the secret for this request, this node and this time", async () => {
    const { address, reading, filling, kept, map } = await fillingNode();
    const { path, headers } = signed(filling);
    const [early, late] = [Date.now() - 6 * MINUTE_MS, Date.now() + 6 * MINUTE_MS];
    const refused: Readonly<Record<string, Asked>> = {
      "no signature": { path },
      "an empty one": { path, headers: { ...headers, authorization: "" } },
      "another scheme": { path, headers: { ...headers, authorization: `Bearer ${SECRET}` } },
      "a wrong secret": signed(filling, { secret: `${SECRET}.` }),
      "another node": signed(filling, { to: "b" }),
      "another range": { path, headers: { ...headers, range: "bytes=0-99" } },
      "no range where one was signed": { path, headers: { authorization: headers.authorization } },
      "another epoch": { path: pathOf({ ...filling, epoch: filling.epoch + 1 }), headers },
      "another question": { path: pathOf(kept), headers },
      "another moment": {
        path,
        headers: {
          ...headers,
          authorization: headers.authorization.replace(/at=\d+/, `at=${Date.now() + 1}`),
        },
      },
      "what is kept, long ago": signed(kept, { at: early }),
      "what is kept, in the future": signed(kept, { at: late }),
      "a map, long ago": signed(map, { at: early, range: "" }),
      "a map, in the future": signed(map, { at: late, range: "" }),
    };
    for (const [how, asked] of Object.entries(refused))
      expect(await ask(address, asked), how).toEqual({ status: 401, bytes: 0 });
    expect(await ask(address, signed(kept, { at: Date.now() - 4 * MINUTE_MS }))).toMatchObject({
      status: 206,
    });
    await reading;
  });

  test("answers nothing to what is no question, however well it is signed", async () => {
    const { address, reading, filling } = await fillingNode();
    const { path, headers } = signed(filling);
    for (const method of ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
      expect(await ask(address, { method, path, headers }), method).toEqual({ status: 400, bytes: 0 });
    for (const other of [
      "/",
      "/v2/",
      "/fleet/v1/filling",
      "/fleet/v1/all?digest=x",
      `${path}&x=${"y".repeat(2_000)}`,
    ]) {
      const authorization = sign(SECRET, { path: other, range: RANGE, node: "a", at: Date.now() });
      const asked = { path: other, headers: { range: RANGE, authorization } };
      expect(await ask(address, asked), other.slice(0, 40)).toEqual({ status: 400, bytes: 0 });
    }
    const huge = { path, headers: { ...headers, "x-padding": "y".repeat(64 * 1024) } };
    expect((await ask(address, huge)).status).toBeOneOf([431, 0]);
    for (const words of [
      "BREW / HTTP/1.1\r\nhost: x\r\n\r\n",
      "\u0016\u0003\u0001\r\n\r\n",
      `GET ${path}\r\n\r\n`,
    ])
      expect(await said(address, words)).not.toMatch(/^HTTP\/1.1 2/);
    // It lives, and answers those who may ask.
    expect(await ask(address, signed(filling))).toEqual({ status: 206, bytes: 10 });
    await reading;
  });
});

/** What comes for `words`, sent as they are. */
async function said(address: string, words: string): Promise<string> {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  socket.end(words);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

const DIGEST = parseDigest(`sha256:${"ab".repeat(32)}`);
const MAP = { kind: "map", upstream: "docker.io", digest: DIGEST } as const;

/** What happened is asked like blobs, with the same proof. */
const RECORDS = { kind: "events", words: { limit: "5" } } as const;

describe("the records of a node", () => {
  test("are told to a node that proves the secret for this question, this node and this time, and to nobody else", async () => {
    const { node } = await fleetNodes();
    const { address } = await node("a");
    const { path, headers } = signed(RECORDS, { range: "" });
    const asked = { path, headers: { authorization: headers.authorization } };
    expect(await (await fetch(`${address}${path}`, { headers: asked.headers })).json()).toEqual({
      asked: RECORDS,
    });
    const old = Date.now() - 6 * MINUTE_MS;
    const refused: Readonly<Record<string, Asked>> = {
      "no signature": { path },
      "a bearer": { path, headers: { authorization: `Bearer ${SECRET}` } },
      "a wrong secret": signed(RECORDS, { secret: `${SECRET}.`, range: "" }),
      "another node": signed(RECORDS, { to: "b", range: "" }),
      "another question": { ...asked, path: path.replace("events", "traffic") },
      "further words": { ...asked, path: `${path}&before=9` },
      "long ago": signed(RECORDS, { at: old, range: "" }),
      "a signature for a blob": {
        path,
        headers: { authorization: signed(MAP, { range: "" }).headers.authorization },
      },
    };
    for (const [how, each] of Object.entries(refused))
      expect(await ask(address, each), how).toEqual({ status: 401, bytes: 0 });
  });

  test("are not asked for without end", async () => {
    const { node } = await fleetNodes();
    const { address } = await node("a");
    const long = signed({ kind: "traffic", words: { search: "x".repeat(9_000) } }, { range: "" });
    expect(await ask(address, long)).toEqual({ status: 400, bytes: 0 });
    expect(await ask(address, { ...long, method: "POST" })).toEqual({ status: 400, bytes: 0 });
  });

  test("are read from a node that has certificates, and from no stranger in its place", async () => {
    const peers = new Peers({
      ...{ clock: systemClock, secret: undefined },
      tls: { cert: clientCert, key: clientKey, ca: caPem },
    });
    onTestFinished(() => peers.close());
    const at = (port: number) => ({ node: "a", address: `https://127.0.0.1:${port}` });
    expect(await peers.records(at(await listening({})), RECORDS)).toEqual({ items: [] });
    const stranger = await listening({ tls: { cert: foreignCert, key: foreignKey, ca: caPem } });
    await expect(peers.records(at(stranger), RECORDS)).rejects.toMatchObject({ code: "fleet-unavailable" });
  });
});

async function listening(entry: Partial<InternalEntry>): Promise<number> {
  const { port, close } = await listenInternally(
    {
      port: 0,
      host: "127.0.0.1",
      secret: undefined,
      tls: { cert: serverCert, key: serverKey, ca: caPem },
      ...entry,
    },
    {
      ...{ node: "a", clock: systemClock, log: silentLog, metrics: createMetrics() },
      transfers: {
        filling: async () => undefined,
        kept: async () => undefined,
        map: async () => ({ size: 3, ranges: [{ start: 0, end: 3 }], isStored: true }),
      },
      records: async () => ({ items: [] }),
    },
  );
  onTestFinished(close);
  return port;
}

async function askTls(port: number, identity: object, headers: Record<string, string> = {}): Promise<Answer> {
  const options = { ca: caPem, headers, ...identity };
  return await answered((resolve, reject) =>
    tlsRequest(`https://127.0.0.1:${port}${pathOf(MAP)}`, options, resolve)
      .once("error", reject)
      .end(),
  );
}

describe("the listener of the nodes, with certificates", () => {
  const NOTHING = { status: 0, bytes: 0 };
  const own = { cert: clientCert, key: clientKey };

  test("talks to a certificate that the fleet's authority has signed, and to no other", async () => {
    const port = await listening({});
    expect(await askTls(port, own)).toMatchObject({ status: 200 });
    expect(await askTls(port, {})).toEqual(NOTHING);
    expect(await askTls(port, { cert: foreignCert, key: foreignKey })).toEqual(NOTHING);
    expect(await ask(`http://127.0.0.1:${port}`, { path: pathOf(MAP) })).toMatchObject({ bytes: 0 });
  });

  test("asks for the secret as well where there are both", async () => {
    const port = await listening({ secret: SECRET });
    expect(await askTls(port, own)).toEqual({ status: 401, bytes: 0 });
    const { headers } = signed(MAP, { range: "" });
    expect(await askTls(port, own, { authorization: headers.authorization })).toMatchObject({ status: 200 });
    expect(await askTls(port, {}, { authorization: headers.authorization })).toEqual(NOTHING);
  });

  test("is asked by a node that knows its authority, and a stranger in its place is not", async () => {
    const tls = { ...own, ca: caPem };
    const peers = new Peers({ clock: systemClock, secret: undefined, tls });
    onTestFinished(() => peers.close());
    const at = (port: number) => ({ node: "a", address: `https://127.0.0.1:${port}` });
    expect(await peers.map(at(await listening({})), MAP)).toMatchObject({ size: 3, isStored: true });
    const stranger = await listening({ tls: { cert: foreignCert, key: foreignKey, ca: caPem } });
    expect(await peers.map(at(stranger), MAP)).toBeUndefined();
  });
});
