/**
 * Owns where a Granary with a given configuration listens: the listeners alone, read without any secret, so that it can be told also
 * where a password is not at hand or some other part of the file is being changed.
 */
import type { Environment } from "../environment.ts";
import { GranaryError } from "../errors.ts";
import { DEFAULT_LISTENERS } from "./defaults.ts";
import { readText } from "./files.ts";
import { readListeners } from "./load.ts";

export type ListenerPlace = {
  readonly port: number;
  readonly host: string | undefined;
  /** PEM text of the certificate that it shows; undefined where it speaks plain http. */
  readonly certificate: string | undefined;
};

/** The first listener whose port is known. Throws `config-invalid`, also where the system chooses all of them. */
export async function loadPlace(file: string | undefined, env: Environment): Promise<ListenerPlace> {
  const listeners: readonly Written[] =
    (file === undefined ? undefined : await readListeners(file, env)) ?? DEFAULT_LISTENERS;
  const index = listeners.findIndex(({ port }) => port !== 0);
  const { port, host, certFile } = listeners[index] ?? {};
  if (port === undefined) {
    throw new GranaryError(
      "config-invalid",
      `${file ?? "The configuration"} leaves all ports to the system (port: 0): name a listener by --url.`,
    );
  }
  const certificate =
    certFile === undefined ? undefined : await readText(certFile, `listeners.${index}.certFile`);
  return { port, host, certificate };
}

type Written = {
  readonly port: number;
  readonly host?: string | undefined;
  readonly certFile?: string | undefined;
};
