/**
 * Owns a served Mirror whose registry has a private repository, for one test: what is in it, who may read it, and what clients show for that.
 * Granary's own login reads all of it. A second upstream beside it must never hear of those clients.
 */
import { get, type IncomingMessage } from "node:http";
import { Writable } from "node:stream";
import { json } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { serve } from "../../src/http/serve.ts";
import { createLog } from "../../src/observe/log.ts";
import type { FakeImage, FakeRegistry, FakeSettings } from "./fake-registry.ts";
import { type MirrorWorld, startWorld, UPSTREAM } from "./mirror-world.ts";
import { proxyMeans } from "./proxy-world.ts";
import { startFake } from "./start-upstream.ts";
import { upstreamOf } from "./upstream-of.ts";

export const PRIVATE = "team/app";
const OTHER = "other.test";
const ALIASES = ["127.0.0.1"];

/** "basic": the registry takes logins itself, and serves blobs. "bearer": it takes tokens of its token server, and sends to its CDN for blobs. */
export type LoginKind = "basic" | "bearer";

export type PrivateRegistry = {
  readonly world: MirrorWorld;
  readonly fake: FakeRegistry;
  readonly image: FakeImage;
  /** The listener that implies the registry, one that implies another, and the proxy, through which it is 127.0.0.1:443. */
  readonly ports: { readonly own: number; readonly other: number; readonly proxy: number };
  readonly other: FakeRegistry;
  /** The whole log so far, at its most talkative. */
  readonly log: () => string;
  /** What a client shows: a login of the registry, or the token that it gets for it. */
  readonly shows: (user: string, password: string) => Promise<string>;
  /** From now on the registry refuses what `user` showed so far. */
  readonly revoke: (user: string) => void;
};

const USERS = { granary: "hunter2", ann: "anns secret", bob: "bobs secret" };

export async function startPrivateRegistry(
  kind: LoginKind,
  settings: Partial<FakeSettings> = {},
): Promise<PrivateRegistry> {
  const other = await startFake({ mode: "plain" });
  const written: string[] = [];
  const log = createLog({ level: "trace", format: "json" }, collecting(written));
  const others = [upstreamOf(other, { name: OTHER, credentials: { username: "x", password: "y" } })];
  const world = await startWorld({
    ...{ mode: kind === "basic" ? "plain" : "hub", log, others },
    settings: {
      ...(kind === "basic" && { auth: "basic" }),
      users: { ...USERS },
      privateRepositories: new Set([PRIVATE]),
      readers: { [PRIVATE]: ["granary", "ann"] },
      ...settings,
    },
    // Its name is not that of its endpoint, and only the registry itself hears what clients show.
    upstream: { aliases: ALIASES, credentials: { username: "granary", password: USERS.granary } },
  });
  const { fake } = world;
  const image = fake.addImage(PRIVATE, "1", { layers: [5_000] });
  const ports = await serveWorld(world, others, log);
  return {
    ...{ world, fake, image, ports, other },
    log: () => written.join(""),
    shows: (user, password) => (kind === "basic" ? basicOf(user, password) : tokenOf(fake, user, password)),
    revoke: (user) => {
      delete fake.settings.users[user];
      fake.revokeTokens();
    },
  };
}

async function serveWorld(
  world: MirrorWorld,
  others: Parameters<typeof serve>[0]["upstreams"],
  log: ReturnType<typeof createLog>,
) {
  const listener = { port: 0, host: "127.0.0.1", login: undefined, tls: undefined };
  const settings = {
    listeners: [
      { ...listener, upstream: UPSTREAM },
      { ...listener, upstream: OTHER },
    ],
    upstreams: [upstreamOf(world.fake, { aliases: ALIASES }), ...others],
    drainMs: 1_000,
    proxy: { port: 0, host: "127.0.0.1", tunnel: "none" },
  } as const;
  const observers = { log, metrics: world.metrics, clock: world.clock };
  const means = proxyMeans(world.mirror.relaying);
  const serving = await serve(settings, world.mirror, observers, world.records, means);
  onTestFinished(() => serving.close());
  const [own, other] = serving.listeners.map(({ port }) => port);
  const proxy = serving.proxy?.port;
  if (own === undefined || other === undefined || proxy === undefined)
    throw new Error("two listeners and a proxy were asked for");
  return { own, other, proxy };
}

async function basicOf(user: string, password: string): Promise<string> {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

/** A token server gives none for a wrong password: then something that looks like one. */
async function tokenOf(fake: FakeRegistry, user: string, password: string): Promise<string> {
  const { service } = fake.settings;
  const query = new URLSearchParams({ service, scope: `repository:${PRIVATE}:pull` });
  const authorization = await basicOf(user, password);
  // On a connection of its own: the world waits for the end of all.
  const answer = await new Promise<IncomingMessage>((resolve, reject) =>
    get(`${fake.authUrl}/token?${query}`, { headers: { authorization }, agent: false }, resolve).on(
      "error",
      reject,
    ),
  );
  const { token = `no-token-of-${user}` } = (await json(answer)) as { token?: string };
  return `Bearer ${token}`;
}

function collecting(written: string[]): Writable {
  return new Writable({
    write(chunk: Buffer, _, done) {
      written.push(chunk.toString());
      done();
    },
  });
}
