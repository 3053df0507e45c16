/** Owns a served MemoryMirror: real listeners on free loopback ports, with what they log and count at hand. */
import { Writable } from "node:stream";
import { BUILT_IN_UPSTREAMS, DEFAULT_POLICY, plainUpstream } from "../../src/config/defaults.ts";
import { type ServeSettings, serve } from "../../src/http/serve.ts";
import { type Clock, systemClock } from "../../src/observe/clock.ts";
import { createLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import type { Records } from "../../src/records/records.ts";
import { MemoryMirror } from "./memory-mirror.ts";

export type MemoryServer = AsyncDisposable & {
  readonly mirror: MemoryMirror;
  readonly metrics: ReturnType<typeof createMetrics>;
  /** The listener of Docker Hub, and that of the Ollama registry. */
  readonly hub: number;
  readonly ollama: number;
  /** Log lines so far, parsed. */
  readonly lines: readonly Record<string, unknown>[];
  close(): Promise<void>;
};

export type MemoryServerOptions = {
  readonly login?: ServeSettings["listeners"][number]["login"];
  readonly drainMs?: number;
  readonly clock?: Clock;
  readonly rateLimitedStatus?: 429 | 503 | 404;
  /** The loopback address when left out. */
  readonly host?: string;
  readonly interfaces?: ServeSettings["interfaces"];
  readonly clients?: ServeSettings["clients"];
  readonly tls?: ServeSettings["listeners"][number]["tls"];
  readonly records?: Records;
};

export async function serveMemory(options: MemoryServerOptions = {}): Promise<MemoryServer> {
  const { host = "127.0.0.1", interfaces } = options;
  const { login, drainMs = 1_000, clock = systemClock, rateLimitedStatus = 429, clients, tls } = options;
  const { records } = options;
  const mirror = new MemoryMirror();
  const metrics = createMetrics();
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: "debug", format: "json" }, collectLines(lines));
  const upstreams = Object.entries(BUILT_IN_UPSTREAMS).map(([name, traits]) => ({
    ...plainUpstream(name),
    ...traits,
    policy: { ...DEFAULT_POLICY, rateLimitedStatus },
  }));
  const listener = { port: 0, host, login, tls };
  const listeners = [
    { ...listener, upstream: "docker.io" },
    { ...listener, upstream: "registry.ollama.ai" },
  ];
  const settings = {
    listeners,
    upstreams,
    drainMs,
    ...(clients && { clients }),
    ...(interfaces && { interfaces }),
  };
  const serving = await serve(settings, mirror, { log, metrics, clock }, records);
  serving.announce();
  const [hub, ollama] = serving.listeners.map(({ port }) => port);
  if (hub === undefined || ollama === undefined) throw new Error("two listeners were asked for");
  const close = () => serving.close();
  return { mirror, metrics, hub, ollama, lines, close, [Symbol.asyncDispose]: close };
}

/** Where a log writes its lines; each is parsed into `lines`. */
export function collectLines(lines: Record<string, unknown>[]): Writable {
  return new Writable({
    write(chunk: Buffer, _, done) {
      for (const line of chunk.toString().trim().split("\n")) lines.push(JSON.parse(line));
      done();
    },
  });
}
