/** Owns what `granary serve --check` says: what would be served with these settings. It opens no port and changes nothing on disk. */
import { resolve } from "node:path";
import { formatBytes } from "../bytes/units.ts";
import type { ListenerSettings, ProxySettings, Settings } from "../config/settings.ts";
import { messageOf } from "../errors.ts";
import { clientUrls, exposureOf } from "../http/connections/exposure.ts";
import { systemClock } from "../observe/clock.ts";
import { checkStorage } from "../store/storage-directory.ts";
import { misused } from "./exit-code.ts";
import { fleetLine, fleetPlan } from "./fleet-plan.ts";
import { printJson, printLine } from "./output.ts";
import { planLines, plansOf } from "./serve-plans.ts";

export type ServedSettings = {
  /** Valid, with the files that they name. */
  readonly settings: Settings;
  /** The file that they come from; undefined for the built-in ones. */
  readonly config: string | undefined;
};

/** Throws `config-invalid` for a storage directory that cannot be used, whatever the reason: a check has two outcomes. */
export async function checkServe(
  { settings, config }: ServedSettings,
  { json }: { readonly json?: boolean },
): Promise<void> {
  const { directory, maxSize, minFree } = settings.storage;
  const isThere = await isStorageThere(directory);
  const storage = { directory: resolve(directory), isThere, maxSize, minFree };
  const listeners = settings.listeners.map(listenerView);
  const reachable = settings.upstreams.map(({ name }) => name);
  const admin = adminView(settings);
  const proxy = proxyView(settings);
  const fleet = fleetPlan(settings);
  const plans = plansOf(settings, systemClock.now());
  if (json === true)
    return printJson({
      ...{ config: config ?? null, listeners, admin, proxy, fleet, storage, upstreams: reachable },
      ...plans,
    });
  printLine(`${config ?? "The built-in configuration"} can be used.`);
  printLine("It would listen:");
  for (const { url, upstream, login } of listeners) {
    printLine(`  ${url} for ${upstream} (${login ? "with a login" : "no login"})`);
  }
  if (admin !== null)
    printLine(`  ${admin.url} to show and steer it (${admin.token ? "with a token" : "no token"})`);
  if (proxy !== null) printLine(`  ${proxy.url} as a proxy (${tunnelWords(proxy.tunnel)})`);
  if (fleet !== null) printLine(fleetLine(fleet));
  const [place, most, free] = [storage.directory, formatBytes(maxSize), formatBytes(minFree)];
  printLine(
    `It would keep up to ${most} in ${place}${isThere ? "" : " (not made yet)"}, and leave ${free} of the disk free.`,
  );
  printLine(`It could reach: ${reachable.join(", ")}.`);
  for (const line of planLines(plans)) printLine(line);
}

async function isStorageThere(directory: string): Promise<boolean> {
  try {
    return await checkStorage(directory);
  } catch (error) {
    throw misused(messageOf(error));
  }
}

/** A port that the system chooses is 0 in the URL. */
function listenerView({ port, host, upstream, tls, login }: ListenerSettings) {
  const [url] = clientUrls({ address: host ?? "::", port, cert: tls?.cert });
  return { url, port, host: host ?? null, upstream, login: login !== undefined };
}

/** What `granary serve` would say of the admin face. A host that is a name is on this machine's network, for all that is known without asking. */
function adminView({ admin }: Settings) {
  if (admin === undefined) return null;
  const { port, host, view } = admin;
  const [url] = clientUrls({ address: host === "localhost" ? "127.0.0.1" : host, port, cert: undefined });
  const isOnMachine = host === "localhost" || exposureOf(host).reach === "machine";
  return { url, port, host, view, token: admin.token !== undefined || !isOnMachine };
}

function proxyView({ proxy }: Settings) {
  if (proxy === undefined) return null;
  const { port, host, tunnel } = proxy;
  const [url] = clientUrls({ address: host ?? "::", port, cert: undefined });
  return { url, port, host: host ?? null, tunnel };
}

function tunnelWords(tunnel: ProxySettings["tunnel"]): string {
  if (tunnel === "any") return "it tunnels to every public host";
  return tunnel === "none" ? "for upstreams alone" : `it tunnels to ${tunnel.join(", ")}`;
}
