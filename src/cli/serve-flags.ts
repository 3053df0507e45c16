/** Owns what the options of `granary serve` change of the settings, and what is wrong with them in the words of who typed them. Pure. */
import { isIP } from "node:net";
import { DEFAULT_ADMIN, parseAdminPlace } from "../config/admin-place.ts";
import type { AdminSettings, ListenerSettings, Settings } from "../config/settings.ts";
import { misused } from "./exit-code.ts";

export type ServeFlags = {
  readonly config?: string;
  readonly directory?: string;
  readonly port?: string;
  readonly host?: string;
  readonly admin?: string;
  readonly logLevel?: string;
  readonly check?: boolean;
  readonly json?: boolean;
};

/** The settings with the options over them. Throws `config-invalid` for what cannot be meant. */
export function withFlags(settings: Settings, flags: ServeFlags): Settings {
  const { directory, port, host, admin, logLevel } = flags;
  if (host !== undefined) checkHost(host);
  if (directory === "") throw misused("--directory takes the path of a directory, not nothing.");
  const ports = port === undefined ? [] : portsOf(port, settings.listeners.length);
  return {
    ...settings,
    listeners: withPlaces(settings.listeners, ports, host),
    ...(admin !== undefined && { admin: withAdminPlace(settings.admin, admin) }),
    storage: { ...settings.storage, ...(directory !== undefined && { directory }) },
    log: { ...settings.log, ...(logLevel !== undefined && { level: logLevel }) },
  };
}

/** Who may come in stays as the file has it. */
function withAdminPlace(written: AdminSettings | undefined, text: string): AdminSettings | undefined {
  const place = parseAdminPlace(text, "--admin");
  return place === "off" ? undefined : { ...DEFAULT_ADMIN, token: undefined, ...written, ...place };
}

function checkHost(host: string): void {
  if (isIP(host) > 0 || /^[\w-][\w.-]*$/.test(host)) return;
  throw misused(
    `--host takes an address of this machine, without a port, such as 127.0.0.1 or ::1, not "${host}".`,
  );
}

function portsOf(text: string, most: number): readonly number[] {
  const ports = text.split(",").map((part) => (/^\d{1,5}$/.test(part) ? Number(part) : Number.NaN));
  if (!ports.every((port) => port <= 65_535)) {
    throw misused(`--port takes numbers from 0 to 65535, such as 5000 or 5000,11435, not "${text}".`);
  }
  if (ports.length <= most) return ports;
  throw misused(
    `--port names ${ports.length} ports, and there ${most === 1 ? "is 1 listener" : `are ${most} listeners`}.`,
  );
}

/** A port counts for the listener at its place in the list; an address for all of them, or one would stay open to others. */
function withPlaces(
  listeners: readonly ListenerSettings[],
  ports: readonly number[],
  host: string | undefined,
): readonly ListenerSettings[] {
  const placed = listeners.map((listener, index) => ({
    ...listener,
    port: ports[index] ?? listener.port,
    host: host ?? listener.host,
  }));
  checkApart(placed);
  return placed;
}

function checkApart(listeners: readonly ListenerSettings[]): void {
  const taken = new Map<string, string>();
  for (const { port, host, upstream } of listeners) {
    const place = `${host ?? "*"} ${port}`;
    const other = taken.get(place);
    if (port !== 0 && other !== undefined) {
      throw misused(
        `With these options the listeners for ${other} and ${upstream} would share port ${port}: give each its own, as in --port 5000,11435.`,
      );
    }
    taken.set(place, upstream);
  }
}
