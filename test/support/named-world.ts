/**
 * Owns a Granary that clients take for registries, for one test: a real authority, a listener with its certificates, and a tiny DNS server in
 * the place of those outside. A registry's name has the port of the listener in it, as the listener cannot have 443 here.
 */
import { request as httpsRequest } from "node:https";
import { buffer } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { type ServeSettings, type Serving, serve } from "../../src/http/serve.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { createLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { OpenedProxy } from "../../src/opened-proxy.ts";
import { resolverAt } from "../../src/upstream/network/named-resolver.ts";
import { newVia } from "../../src/upstream/network/via.ts";
import type { Upstream } from "../../src/upstream/policy.ts";
import { type MirrorWorld, startWorld } from "./mirror-world.ts";
import type { ThroughAnswer } from "./proxied.ts";
import { collectLines } from "./serve-memory.ts";
import { tempDirectory } from "./temp-directory.ts";
import { startTinyDns, type TinyDns } from "./tiny-dns.ts";

export type NamedWorldOptions = {
  readonly port: number;
  readonly upstreams: readonly Upstream[];
  /** What the servers outside say. */
  readonly dns: Readonly<Record<string, readonly string[]>>;
  /** PEM, trusted beside its own. */
  readonly trusts?: string;
  /** Listeners besides. */
  readonly others?: ServeSettings["listeners"];
};

export type NamedWorld = {
  readonly port: number;
  /** PEM of its authority. */
  readonly ca: string;
  readonly dns: TinyDns;
  readonly world: MirrorWorld;
  readonly serving: Serving;
  readonly settings: ServeSettings;
  readonly lines: readonly Record<string, unknown>[];
};

export async function startNamedWorld(options: NamedWorldOptions): Promise<NamedWorld> {
  const { port, upstreams, others = [], trusts = "" } = options;
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: "trace", format: "json" }, collectLines(lines));
  const dns = await startTinyDns(options.dns);
  const lookup = resolverAt([dns.address], systemClock);
  const via = newVia();
  const storage = { directory: await tempDirectory(), maxSize: 0, minFree: 0 };
  let world: MirrorWorld | undefined;
  const proxy = new OpenedProxy(
    { storage, resolver: [dns.address] },
    {
      ...{ log, via, env: {}, clock: systemClock },
      relaying: {
        relay: (...asked) => relaying(world).relay(...asked),
        connect: (...asked) => relaying(world).connect(...asked),
        isServing: (...asked) => relaying(world).isServing(...asked),
        isTokenServerAway: (...asked) => relaying(world).isTokenServerAway(...asked),
      },
    },
  );
  await proxy.means.certificates(upstreams);
  const ca = proxy.authority?.certificate ?? "";
  const client = { lookup, via };
  world = await startWorld({ others: upstreams, log, client, tls: { ca: `${ca}${trusts}` } });
  const place = { host: "127.0.0.1", login: undefined, tls: undefined };
  const upstream = upstreams[0]?.name ?? "";
  const settings: ServeSettings = {
    listeners: [{ ...place, port, upstream, tlsFromCa: true }, ...others],
    upstreams,
    drainMs: 1_000,
  };
  const observers = { log, metrics: createMetrics(), clock: world.clock };
  const serving = await serve(settings, world.mirror, observers, world.records, proxy.means);
  onTestFinished(() => serving.close());
  return { port, ca, dns, world, serving, settings, lines };
}

function relaying(world: MirrorWorld | undefined) {
  if (world === undefined) throw new Error("nothing is relayed before the Mirror has started");
  return world.mirror.relaying;
}

export type NamedRequest = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** What the handshake names; the host of `authority` when left out. */
  readonly servername?: string;
};

/** One request to `authority`, on a connection of its own to the listener. Throws what the handshake throws. */
export function askNamed(
  { port, ca }: Pick<NamedWorld, "port" | "ca">,
  authority: string,
  path: string,
  { method = "GET", headers = {}, body, servername = hostOf(authority) }: NamedRequest = {},
): Promise<ThroughAnswer> {
  return new Promise((resolve, reject) => {
    const place = { host: "127.0.0.1", port, servername, ca, agent: false };
    const outgoing = httpsRequest(
      { ...place, path, method, headers: { host: authority, ...headers } },
      (answer) => {
        const { statusCode: status = 0, headers: found } = answer;
        buffer(answer).then((bytes) => resolve({ status, headers: found, body: bytes }), reject);
      },
    );
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

function hostOf(authority: string): string {
  return authority.replace(/:\d+$/, "");
}
