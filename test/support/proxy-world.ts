/** Owns a proxy in front of registries for one test: a real Mirror, a real listener, and certificates of the throw-away CA for 127.0.0.1. */
import { onTestFinished } from "vitest";
import type { ProxyMeans } from "../../src/http/proxy/proxy-of-settings.ts";
import type { ProxyEntry } from "../../src/http/proxy/served-proxy.ts";
import { type ServeSettings, type Serving, serve } from "../../src/http/serve.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { createLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { connectRaw } from "../../src/upstream/network/raw-connection.ts";
import type { Upstream } from "../../src/upstream/policy.ts";
import { type MirrorWorld, startWorld, type WorldOptions } from "./mirror-world.ts";
import { askThrough, type ThroughAnswer, type ThroughRequest } from "./proxied.ts";
import { collectLines } from "./serve-memory.ts";
import { caPem, serverCert, serverKey } from "./throwaway-tls.ts";

export type ProxyWorldOptions = WorldOptions & {
  readonly tunnel?: ProxyEntry["tunnel"];
  readonly connect?: ProxyMeans["connect"];
  readonly drainMs?: number;
};

export type ProxyWorld = {
  readonly world: MirrorWorld;
  readonly serving: Serving;
  readonly settings: ServeSettings;
  readonly port: number;
  readonly lines: readonly Record<string, unknown>[];
  ask(authority: string, target: string, request?: Omit<ThroughRequest, "ca">): Promise<ThroughAnswer>;
};

export const trusted = caPem;

/** As if this machine had an address that the internet reaches. */
const AT_THE_INTERNET = {
  wan: [{ address: "203.0.112.7", family: "IPv4" }],
} as unknown as NonNullable<ServeSettings["interfaces"]>;

/** `upstreams` are those whose names are intercepted; each has the name of its endpoint's host. */
export async function startProxyWorld(
  upstreams: readonly Upstream[],
  { tunnel = "none", connect = connectGuarded, drainMs = 1_000, ...options }: ProxyWorldOptions = {},
): Promise<ProxyWorld> {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: "trace", format: "json" }, collectLines(lines));
  const world = await startWorld({ ...options, others: upstreams, log });
  const [first] = upstreams;
  if (first === undefined) throw new Error("a proxy needs an upstream");
  const place = { port: 0, host: "127.0.0.1" };
  const settings: ServeSettings = {
    listeners: [{ ...place, upstream: first.name, login: undefined, tls: undefined }],
    upstreams,
    drainMs,
    proxy: { ...place, tunnel },
    interfaces: AT_THE_INTERNET,
  };
  const means = proxyMeans(world.mirror.relaying, connect);
  const observers = { log, metrics: createMetrics(), clock: systemClock };
  const serving = await serve(settings, world.mirror, observers, world.records, means);
  onTestFinished(() => serving.close());
  const port = serving.proxy?.port ?? 0;
  return {
    ...{ world, serving, settings, port, lines },
    ask: (authority, target, request = {}) => askThrough(port, authority, target, { ...request, ca: caPem }),
  };
}

/** What a proxy is served with: it shows the certificate of the throw-away CA for whatever name. */
export function proxyMeans(relaying: ProxyMeans["relaying"], connect = connectGuarded): ProxyMeans {
  const leaf = { cert: serverCert, key: serverKey };
  return { relaying, connect, certificates: async () => ({ leaf: async () => leaf }) };
}

const connectGuarded: ProxyMeans["connect"] = (place, signal) =>
  connectRaw(place, { env: {}, timeoutMs: 5_000, signal, clock: systemClock });
