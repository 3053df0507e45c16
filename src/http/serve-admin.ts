/**
 * Owns the admin face on the network: its listener, behind its guard. On loopback whoever is on the machine may come in; anywhere else, and
 * wherever a token is configured, a token is needed. That it cannot listen at its usual place stops no server: registries' clients come first.
 */
import { lookup } from "node:dns/promises";
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import { Episodes } from "../observe/episodes.ts";
import type { Observers } from "../observe/observers.ts";
import { adminListener } from "./admin/admin-listener.ts";
import type { AnsweringApp } from "./admin/app-kind.ts";
import { Guard, type GuardOptions } from "./admin/guards/guard.ts";
import { guardedApp } from "./admin/guards/guarded-app.ts";
import { Admission } from "./connections/admission.ts";
import { clientUrls, exposureOf } from "./connections/exposure.ts";
import { openListener } from "./connections/listener.ts";
import { SentAhead } from "./connections/sent-ahead.ts";

export type AdminPlace = GuardOptions & {
  readonly port: number;
  readonly host: string;
};

export type AdminKeeper = {
  /** The token of the storage directory, for where none is configured. */
  keepToken(): Promise<{ readonly token: string; readonly isNew: boolean }>;
  /** Where that lies, for messages. */
  readonly tokenPath: string;
};

export type ServedAdmin = {
  readonly port: number;
  /** What a person on this machine types to reach it. */
  readonly url: string;
  readonly needsToken: boolean;
  /** Later requests are judged by these names, by this view, and by a new token where one is configured. */
  renew(options: GuardOptions): void;
  /** Takes no more connections and ends those that there are. Idempotent. */
  close(): Promise<void>;
};

/** The place where it listens when nobody asked for another. */
const USUAL_PLACE = { port: 5080, host: "127.0.0.1" };

const LIMITS = { maxConnections: 512, maxConnectionsPerAddress: 128 };
/** Its answers are short, or streams that have no end; a bundle takes as long to come as it takes. */
const DRAIN_MS = 1_000;

/**
 * undefined where another program has its usual port, and the log says so. Throws `config-invalid` where a place that somebody asked for
 * cannot be had.
 */
export async function serveAdmin(
  place: AdminPlace,
  app: AnsweringApp,
  observers: Observers,
  keeper: AdminKeeper,
): Promise<ServedAdmin | undefined> {
  const address = await addressOf(place.host);
  const isOnMachine = exposureOf(address).reach === "machine";
  const isKept = place.token === undefined && !isOnMachine;
  const kept = isKept ? await keeper.keepToken() : undefined;
  const guard = new Guard({ ...place, token: place.token ?? kept?.token }, observers.clock);
  const answer = adminListener(guardedApp(app, guard));
  const listener = await openListener(
    { port: place.port, host: address, tls: undefined, drainMs: DRAIN_MS, requestMs: 0 },
    { answer },
    commonsOf(observers),
  ).catch((error: unknown) => goOnWithout(place, observers, error));
  if (listener === undefined) return undefined;
  const { port, close } = listener;
  const url = `http://${isWildcard(address) ? "127.0.0.1" : bracketed(address)}:${port}`;
  const urls = clientUrls({ address, port, cert: undefined });
  observers.log.info({ port, urls }, `the admin face is at ${url}`);
  if (kept !== undefined) tellLogin(observers, keeper, { url, ...kept });
  // What can be reached from elsewhere never loses its token while it runs.
  let token = place.token ?? kept?.token;
  const renew = (options: GuardOptions) => {
    token = options.token ?? kept?.token ?? (isOnMachine ? undefined : token);
    guard.renew({ ...options, token });
  };
  return { port, url, needsToken: guard.needsToken, renew, close };
}

async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (cause) {
    const text = `Cannot find the address of admin.host: ${host} (${messageOf(cause)}).`;
    throw new GranaryError("config-invalid", text, { cause });
  }
}

function goOnWithout({ port, host }: AdminPlace, { log }: Observers, error: unknown): undefined {
  const isUsual = port === USUAL_PLACE.port && host === USUAL_PLACE.host;
  if (!isUsual || !isGranaryError(error, "config-invalid")) throw error;
  const text =
    "there is no admin face on the network: set admin.port to another port, or admin to off; commands reach this server by its storage directory";
  log.warn({ reason: error.message }, text);
  return undefined;
}

/** The link is shown once: what is written to a log is read by others than its owner. */
function tellLogin(
  { log }: Observers,
  { tokenPath }: AdminKeeper,
  { url, token, isNew }: { readonly url: string; readonly token: string; readonly isNew: boolean },
): void {
  if (isNew) log.info(`log in by this link, which is shown only once: ${url}/login?token=${token}`);
  else log.info({ tokenPath }, "the admin face asks for the token that was made at its first start");
}

function commonsOf({ log, clock }: Observers) {
  const episodes = new Episodes(log, clock);
  const admission = new Admission(LIMITS, clock, (excess, client) =>
    episodes.trouble(`admin ${excess}`, { client, limit: LIMITS[excess] }, TOO_MANY),
  );
  return { admission, sentAhead: new SentAhead(), episodes, clock };
}

const TOO_MANY = "more connections to the admin face than it takes: refusing some";

function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
