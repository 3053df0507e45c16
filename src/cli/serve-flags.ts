/** Owns the options of `granary serve`: what they change of the settings, and what --check says of the outcome. It opens nothing. */
import { formatBytes } from "../bytes/units.ts";
import { checkSettings } from "../config/check-settings.ts";
import type { ListenerSettings, Settings } from "../config/settings.ts";
import { misused } from "./exit-code.ts";

export type ServeFlags = {
  readonly config?: string;
  readonly directory?: string;
  readonly port?: string;
  readonly host?: string;
  readonly logLevel?: string;
  readonly check?: boolean;
};

/** The settings with the options over them. Throws `config-invalid` for what does not fit, as for the same in a file. */
export function withFlags(settings: Settings, { directory, port, host, logLevel }: ServeFlags): Settings {
  const ports = port === undefined ? [] : portsOf(port, settings.listeners.length);
  const listeners = settings.listeners.map((listener, index) => ({
    ...listener,
    port: ports[index] ?? listener.port,
    host: host ?? listener.host,
  }));
  checkSettings(listeners, settings.upstreams);
  return {
    ...settings,
    listeners,
    storage: { ...settings.storage, ...(directory !== undefined && { directory }) },
    log: { ...settings.log, ...(logLevel !== undefined && { level: logLevel }) },
  };
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

/** What would be served, for people. */
export function describeSettings(settings: Settings, config: string | undefined): string {
  const { listeners, storage, upstreams } = settings;
  const lines = listeners.map((listener) => `  ${describeListener(listener)}`);
  return [
    `${config ?? "The built-in configuration"} can be used.`,
    "It would listen:",
    ...lines,
    `It would keep up to ${formatBytes(storage.maxSize)} in ${storage.directory}, and leave ${formatBytes(storage.minFree)} of the disk free.`,
    `It could reach: ${upstreams.map(({ name }) => name).join(", ")}.`,
  ].join("\n");
}

function describeListener({ port, host, upstream, tls, login }: ListenerSettings): string {
  const where = host === undefined ? "on all addresses" : `on ${host}`;
  const how = `${tls === undefined ? "http" : "https"}, ${login === undefined ? "no login" : "with a login"}`;
  return `${port === 0 ? "a port that is free" : `port ${port}`} ${where} for ${upstream} (${how})`;
}
