/** Shows that the slow line is as slow as it is told to be, breaks where it is told to, and keeps a true account. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { startFakeRegistry } from "./fake-registry.ts";
import { Pace } from "./slow-line/pace.ts";
import { putBehind } from "./slow-line/publish.ts";
import type { LineSettings } from "./slow-line/settings.ts";
import { type Place, SlowLine } from "./slow-line.ts";
import { askFor, clientOf } from "./start-upstream.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** What an idle line sends at once, and a timer's tick. */
const BURST_MS = 30;

/** A server for one test. */
async function serve(onConnection: (socket: Socket) => void): Promise<Place & { readonly seen: Socket[] }> {
  const seen: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    seen.push(socket);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const socket of seen) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port, seen };
}

/** Sends so many bytes to whoever asks for anything, once per connection, and ends. */
const sending = (bytes: number) =>
  serve((socket) => socket.once("data", () => socket.end(Buffer.alloc(bytes, "x"))));

const echoing = () => serve((socket) => socket.pipe(socket));

async function lineBefore(target: Place, settings: Partial<LineSettings> = {}, seed?: number) {
  const line = new SlowLine(settings, seed);
  onTestFinished(() => line.close());
  return { line, front: await line.front(target) };
}

type Client = {
  readonly socket: Socket;
  received: number;
  /** How the connection ended: an error's code, or "closed". */
  readonly over: Promise<string>;
};

function client({ host, port }: Place, hello: string | undefined = "hello"): Client {
  const socket = connect({ host, port });
  onTestFinished(() => void socket.destroy());
  let code = "closed";
  socket.on("error", (error: NodeJS.ErrnoException) => {
    code = error.code ?? "error";
  });
  const over = new Promise<string>((resolve) => socket.once("close", () => resolve(code)));
  const self = { socket, received: 0, over };
  socket.on("data", (bytes) => {
    self.received += bytes.length;
  });
  if (hello !== undefined) socket.write(hello);
  return self;
}

const answerOf = (socket: Socket) =>
  new Promise<number>((resolve) => socket.once("data", () => resolve(performance.now())));

/** How far apart the clients are, as a part of what was carried, at the most even moment before the last third: a moment alone may be a burst's. */
async function evenest(
  clients: readonly { readonly received: number }[],
  carried: () => number,
): Promise<number> {
  let found = Number.POSITIVE_INFINITY;
  do {
    const received = clients.map((one) => one.received);
    found = Math.min(found, (Math.max(...received) - Math.min(...received)) / carried());
    await new Promise((resolve) => setImmediate(resolve));
  } while (carried() < 2 * MIB);
  return found;
}

describe("a rate", () => {
  test("owes what the time that passed makes of it, also when nobody looked for long", () => {
    const pace = new Pace(1_000_000);
    pace.idled(10_000);
    expect(pace.allowance(10_000)).toBeLessThanOrEqual(20_000);
    pace.spend(pace.allowance(10_000));
    expect(pace.allowance(10_400)).toBe(400_000);
    pace.spend(400_000);
    let carried = 0;
    for (let now = 10_400; now < 11_400; now += 7.3) {
      const bytes = Math.min(pace.allowance(now), 9_000);
      pace.spend(bytes);
      carried += bytes;
    }
    expect(carried).toBeGreaterThan(980_000);
    expect(carried).toBeLessThanOrEqual(1_000_000);
    pace.idled(20_000);
    expect(pace.allowance(20_000)).toBe(20_000);
  });

  test("in all is not exceeded, and is shared evenly by those that want it", async () => {
    const { line, front } = await lineBefore(await sending(MIB), { rate: 2_000_000 });
    const begun = performance.now();
    const clients = [client(front), client(front), client(front)];
    await expect.poll(() => line.account.carried).toBeGreaterThan(900_000);
    const { carried } = line.account;
    expect(carried).toBeLessThanOrEqual(((performance.now() - begun + BURST_MS) * 2_000_000) / 1000);
    expect(await evenest(clients, () => line.account.carried)).toBeLessThan(0.1);
    await Promise.all(clients.map((one) => one.over));
    expect(clients.map((one) => one.received)).toEqual([MIB, MIB, MIB]);
    expect(line.account).toMatchObject({ carried: 3 * MIB, opened: 3, refused: 0, most: 3 });
    expect(performance.now() - begun).toBeGreaterThan((3 * MIB) / 2_000 - BURST_MS);
    expect(line.account.lastByteAt).toBeGreaterThan(begun);
    await expect.poll(() => line.connections).toBe(0);
  });

  test("of one connection holds for each of them, and changes while it runs", async () => {
    const { line, front } = await lineBefore(await sending(600 * KIB), { ratePerConnection: 1_000_000 });
    const begun = performance.now();
    await Promise.all([client(front).over, client(front).over]);
    expect(performance.now() - begun).toBeGreaterThan((600 * KIB) / 1_000 - BURST_MS);
    line.set({ ratePerConnection: 1_000 });
    const slow = client(front);
    await expect.poll(() => slow.received).toBeGreaterThan(0);
    expect(slow.received).toBeLessThan(100 * KIB);
    line.set({ ratePerConnection: undefined });
    expect(await slow.over).toBe("closed");
    expect(slow.received).toBe(600 * KIB);
  });

  test("holds back the source: a client that reads nothing costs a bounded number of bytes", async () => {
    let taken = 0;
    const target = await serve((socket) => {
      const send = () => {
        if (taken >= 256 * MIB) return;
        socket.write(Buffer.alloc(MIB), (error) => {
          if (error) return;
          taken += MIB;
          send();
        });
      };
      send();
    });
    const { line, front } = await lineBefore(target);
    const lazy = connect({ ...front, port: front.port });
    onTestFinished(() => void lazy.destroy());
    lazy.pause();
    let before = -1;
    await expect
      .poll(
        () => {
          const isStill = before === taken && taken > 0;
          before = taken;
          return isStill;
        },
        { interval: 300, timeout: 20_000 },
      )
      .toBe(true);
    // The kernel's buffers of four sockets, and what the line may hold.
    expect(taken).toBeLessThan(64 * MIB);
    expect(line.connections).toBe(1);
  });
});

describe("a delay", () => {
  test("is a round trip for an answer, and another for a new connection", async () => {
    const { front } = await lineBefore(await echoing(), { delayMs: 100 });
    const begun = performance.now();
    const { socket } = client(front, "one");
    const first = await answerOf(socket);
    expect(first - begun).toBeGreaterThanOrEqual(199);
    socket.write("two");
    expect((await answerOf(socket)) - first).toBeGreaterThanOrEqual(99);
  });
});

describe("connections that end", () => {
  test("are cut after so many bytes, exactly", async () => {
    const { line, front } = await lineBefore(await sending(MIB), { cut: { after: 300_000 } });
    const one = client(front);
    expect(await one.over).toBe("ECONNRESET");
    // A reset takes what the client has not read yet.
    expect(one.received).toBeLessThanOrEqual(300_000);
    line.set({ cut: { after: 123_456, by: "end" } });
    const other = client(front);
    expect(await other.over).toBe("closed");
    expect(other.received).toBe(123_456);
    expect(line.account).toMatchObject({ carried: 423_456, opened: 2 });
  });

  test("are cut where the seed says, every n-th of them", async () => {
    const cutsOf = async (seed: number) => {
      const cut = { after: [10_000, 90_000], every: 2, by: "end" } as const;
      const { front } = await lineBefore(await sending(100_000), { cut }, seed);
      const received: number[] = [];
      for (let count = 0; count < 4; count++) {
        const one = client(front);
        await one.over;
        received.push(one.received);
      }
      return received;
    };
    const [first, second, third, fourth] = await cutsOf(7);
    expect([first, third]).toEqual([100_000, 100_000]);
    expect(second).toBeGreaterThanOrEqual(10_000);
    expect(second).toBeLessThanOrEqual(90_000);
    expect(fourth).not.toBe(second);
    expect(await cutsOf(7)).toEqual([first, second, third, fourth]);
    expect(await cutsOf(8)).not.toEqual([first, second, third, fourth]);
  });

  test("stall after so many bytes: nothing more comes, nobody is told, and others go on", async () => {
    const { line, front } = await lineBefore(await sending(MIB), { stall: { after: 200_000, every: 2 } });
    const [one, stalled] = [client(front), client(front)];
    expect(await one.over).toBe("closed");
    expect(one.received).toBe(MIB);
    await expect.poll(() => stalled.received).toBe(200_000);
    await expect.poll(() => line.connections).toBe(1);
    expect(stalled.socket.destroyed).toBe(false);
    stalled.socket.end();
    await stalled.over;
    expect(stalled.received).toBe(200_000);
    await expect.poll(() => line.connections).toBe(0);
  });

  test("as their target ends them: broken, or half-closed with the answer still to come", async () => {
    const breaking = await serve((socket) =>
      socket.once("data", () => socket.write(Buffer.alloc(50_000), () => socket.resetAndDestroy())),
    );
    const broken = client((await lineBefore(breaking, { delayMs: 20 })).front);
    expect(await broken.over).toBe("ECONNRESET");
    expect(broken.received).toBeLessThanOrEqual(50_000);
    const patient = await serve((socket) => void text(socket).then((asked) => socket.end(`${asked} is all`)));
    const { front } = await lineBefore(patient, { delayMs: 20, rate: 10_000 });
    const half = connect({ host: front.host, port: front.port });
    half.end("a question");
    expect(await text(half)).toBe("a question is all");
  });

  test("that nobody listens for are broken", async () => {
    const { host, port, seen } = await echoing();
    const { front } = await lineBefore({ host: "127.0.0.9", port });
    expect(host).toBe("127.0.0.1");
    expect(await client({ host: front.host, port: front.port }).over).toBe("ECONNRESET");
    expect(seen).toEqual([]);
  });
});

describe("a limit of connections", () => {
  test("refuses those beyond it", async () => {
    const limit = { connections: 2, beyond: "refuse" } as const;
    const target = await echoing();
    const { line, front } = await lineBefore(target, { limit });
    const kept = [client(front), client(front)];
    await Promise.all(kept.map(({ socket }) => answerOf(socket)));
    expect(await client(front).over).toBe("ECONNRESET");
    // A server's limit: another has its own.
    const { socket } = client(await line.front(target));
    await answerOf(socket);
    expect(line.account).toMatchObject({ opened: 3, refused: 1, most: 3 });
    expect(front.account).toMatchObject({ opened: 2, refused: 1, most: 2 });
    kept[0]?.socket.end();
    await expect.poll(() => line.connections).toBe(2);
    await answerOf(client(front).socket);
  });

  test("lets them wait for a place", async () => {
    const limit = { connections: 1, beyond: "wait", per: "line" } as const;
    const { line, front } = await lineBefore(await echoing(), { limit });
    const [first, second, third] = [client(front), client(front), client(front)];
    await answerOf(first.socket);
    expect(line.account.opened).toBe(1);
    expect([second.received, third.received]).toEqual([0, 0]);
    first.socket.end();
    await answerOf(second.socket);
    second.socket.end();
    await answerOf(third.socket);
    expect(line.account).toMatchObject({ opened: 3, refused: 0, most: 1 });
  });
});

describe("an outage", () => {
  test("cuts what is under way and refuses what is new, until the line is back on the same port", async () => {
    const { line, front } = await lineBefore(await echoing(), { delayMs: 10 });
    const one = client(front);
    await answerOf(one.socket);
    await line.away();
    expect(await one.over).toBe("ECONNRESET");
    expect(await client(front).over).toBe("ECONNREFUSED");
    await line.back();
    await answerOf(client(front).socket);
    expect(line.account).toMatchObject({ opened: 2, refused: 0 });
  });

  test("is silent where the line is dead: nothing moves, nobody is told, and it goes on afterwards", async () => {
    const { line, front } = await lineBefore(await echoing());
    const one = client(front);
    await answerOf(one.socket);
    await line.away("silent");
    const { carried } = line.account;
    one.socket.write("more");
    const late = client(front);
    await new Promise<void>((resolve) => late.socket.once("connect", resolve));
    // A second line that works carries a whole exchange meanwhile.
    await answerOf(client((await lineBefore(await echoing())).front).socket);
    expect(line.account.carried).toBe(carried);
    const [again, first] = [answerOf(one.socket), answerOf(late.socket)];
    await line.back();
    await Promise.all([again, first]);
    expect(line.account.carried).toBe(carried + "more".length + "hello".length);
  });

  test("can be a moment: every connection breaks, and new ones are taken", async () => {
    const { line, front } = await lineBefore(await echoing());
    const one = client(front);
    await answerOf(one.socket);
    line.cutAll();
    expect(await one.over).toBe("ECONNRESET");
    await answerOf(client(front).socket);
  });
});

test("a registry behind it is crossed for its manifests, its tokens and its blobs", async () => {
  const fake = await startFakeRegistry({ mode: "hub" });
  onTestFinished(() => fake.close());
  const image = fake.addImage("library/app", "latest", { layers: [100_000] });
  const line = new SlowLine({ delayMs: 4, rate: 4_000_000 });
  onTestFinished(() => line.close());
  const fronts = await putBehind(line, fake);
  expect(fake.url).toBe(`http://127.0.0.1:${fronts.registry.port}`);
  const { client: upstream } = clientOf(fake);
  await upstream.getManifest(askFor("library/app", "latest"));
  const origin = upstream.blobOrigin("library/app", image.layerDigests[0] ?? image.configDigest);
  const opened = await origin.open({ start: 0, end: 100_000 }, new AbortController().signal);
  let bytes = 0;
  for await (const chunk of opened.body) bytes += chunk.length;
  expect(bytes).toBe(100_000);
  expect(fronts.registry.account.opened).toBeGreaterThan(0);
  expect(fronts.auth.account.opened).toBe(1);
  expect(fronts.cdn.account.carried).toBeGreaterThan(100_000);
  const told = fake.requests.map(({ headers }) => headers.host);
  const published = Object.values(fronts).map(({ host, port }) => `${host}:${port}`);
  expect(told.filter((host) => !published.includes(host ?? ""))).toEqual([]);
  await line.away();
  await expect(upstream.getManifest(askFor("library/app", "latest"))).rejects.toMatchObject({
    code: "upstream-unavailable",
  });
});
