/** Owns a running server from its settings to its end: the Mirror, the listeners, and a stop that drains. */
import { formatDuration } from "../bytes/units.ts";
import type { Settings } from "../config/settings.ts";
import { messageOf } from "../errors.ts";
import { type Serving, serve } from "../http/serve.ts";
import type { Mirror } from "../mirror/mirror.ts";
import { systemClock } from "../observe/clock.ts";
import { createLog, type Log } from "../observe/log.ts";
import { createMetrics } from "../observe/metrics.ts";
import { openCache } from "../open.ts";
import { OpenedProxy } from "../opened-proxy.ts";
import { type ReloadPart, renewing } from "../reloading/reload-part.ts";
import { type AdminFace, serveAdminFace } from "./admin/serve-admin-face.ts";
import { setupParts } from "./admin/setup-parts.ts";
import { clientHint } from "./client-hint.ts";
import { misused } from "./exit-code.ts";
import { printLine } from "./output.ts";
import { settingsReader, settingsReload } from "./reload-settings.ts";
import { checkServe } from "./serve-check.ts";
import type { ServeFlags } from "./serve-flags.ts";
import { catchServerSignals } from "./server-signals.ts";

/** Resolves never: it ends the process. Throws what keeps it from starting; with --check, it only says what would be served. */
export async function runServer(flags: ServeFlags): Promise<void> {
  const read = settingsReader(flags, process.env);
  if (flags.check === true) return await checkServe(await read(), flags);
  if (flags.json === true) throw misused("--json goes with --check.");
  const signals = catchServerSignals();
  outliveOutput();
  const { settings, config } = await read();
  const log = createLog(settings.log);
  signals.tell(log);
  log.debug({ config: config ?? "built in" }, "settings");
  const observers = { log, metrics: createMetrics(), clock: systemClock };
  const mirror = await openCache(settings, observers);
  const closeMirror = () => mirror.close(0);
  const { relaying, via } = mirror;
  const proxy = new OpenedProxy(settings, { ...observers, relaying, via, env: process.env });
  const serving = await serve(settings, mirror, observers, mirror.records, proxy.means).catch(
    givingUp(log, closeMirror),
  );
  const drain = drainOf(settings);
  const clients = setupParts(settings, serving, mirror);
  const parts = [
    ...mirror.reloadParts,
    logLevel(log),
    drain.reloadPart,
    clients.reloadPart,
    serving.reloadPart,
  ];
  const reload = settingsReload(settings, read, parts, { log, events: mirror.records.events });
  const face = await serveAdminFace(settings, {
    cache: mirror,
    settings: reload,
    clients,
    authority: () => proxy.authority,
    ...observers,
  }).catch(givingUp(log, () => serving.close(), closeMirror));
  parts.push(...face.reloadParts);
  serving.announce();
  announce(settings, serving, face);
  signals.onReload(() => reload.run().then(ignored, ignored));
  const signal = await signals.stop;
  log.info(
    { signal },
    `stopping: transfers in flight get ${formatDuration(drain.ms)}; again to stop at once`,
  );
  await face.close();
  await stop(drain.ms, serving, mirror, log);
}

/** For what cannot be opened: closes what was opened before it, and throws why. */
function givingUp(log: Log, ...closes: readonly (() => Promise<void>)[]): (error: unknown) => Promise<never> {
  return async (error) => {
    for (const close of closes)
      await close().catch((failure: unknown) => {
        log.error({ reason: messageOf(failure) }, "closing after a failed start failed");
      });
    throw error;
  };
}

/** The log has it already. */
function ignored(): void {}

/** How long transfers may go on after a stop was asked for; see Settings. */
function drainOf({ drainMs }: Settings) {
  const drain = { ms: drainMs };
  const reloadPart = renewing<Settings>(["drain"], (next) => {
    drain.ms = next.drainMs;
  });
  return Object.assign(drain, { reloadPart });
}

function logLevel(log: Log): ReloadPart<Settings> {
  return renewing(["log.level"], (next) => {
    log.level = next.log.level;
  });
}

/** A server goes on when nobody reads what it prints any more: the terminal was closed, the pipe's reader ended. */
function outliveOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners("error");
    stream.on("error", () => undefined);
  }
}

const BY_NAME = "registries by their own names, where the DNS leads these here";

/** On a terminal, where to point which client; the log says the rest. */
function announce(
  { storage }: Settings,
  { listeners, proxy }: Serving,
  { listener: admin }: AdminFace,
): void {
  if (process.stdout.isTTY !== true) return;
  printLine(`\nGranary keeps what it fetches in ${storage.directory}.`);
  for (const { upstream, url, entry } of listeners) {
    const isNamed = entry.tlsFromCa === true;
    printLine(`  ${url}  serves ${isNamed ? BY_NAME : `${upstream}${clientHint(upstream, url)}`}`);
  }
  if (proxy !== undefined)
    printLine(
      `  ${proxy.url}  is a proxy: HTTPS_PROXY of clients that trust its certificate (granary ca install)`,
    );
  if (admin !== undefined)
    printLine(
      `  ${admin.url}  shows and steers it: open it in a browser${admin.needsToken ? ", with its token" : ""}`,
    );
  printLine("Stop it with Ctrl-C.\n");
}

/** Bodies in flight first, then the fills that feed them. */
async function stop(drainMs: number, serving: Serving, mirror: Mirror, log: Log): Promise<void> {
  try {
    await serving.close();
  } finally {
    await mirror.close(drainMs).catch((error: unknown) => {
      log.error({ reason: messageOf(error) }, "closing the store failed");
      process.exitCode = 1;
    });
  }
  log.info("stopped");
  process.exit();
}
