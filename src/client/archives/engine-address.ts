/** Owns where the Docker engine listens: what the caller says, else DOCKER_HOST, else Docker's default. Pure. */
import { GranaryError } from "../../errors.ts";

/** In the form that node:http takes. */
export type EngineAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number };

const DEFAULT_SOCKET = "/var/run/docker.sock";
/** The port of a Docker engine without TLS, as IANA has it. */
const DEFAULT_PORT = 2375;

/**
 * `text` is the path of a socket, `unix://PATH`, `tcp://HOST[:PORT]` or empty. Throws `config-invalid` for what is none of them,
 * and for TLS and SSH, which are not spoken here.
 */
export function engineAddress(
  text: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): EngineAddress {
  const place = (text ?? environment.DOCKER_HOST ?? "").trim();
  if (place === "") return { socketPath: DEFAULT_SOCKET };
  if (place.startsWith("/")) return { socketPath: place };
  if (place.startsWith("unix:///")) return { socketPath: place.slice("unix://".length) };
  const url = place.startsWith("tcp://") && URL.canParse(place) ? new URL(place) : undefined;
  if (url === undefined || url.hostname === "")
    throw refused(place, "it is neither unix:///PATH nor tcp://HOST:PORT");
  if (isSet(environment.DOCKER_TLS_VERIFY)) throw refused(place, "it wants TLS, which is not spoken here");
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || DEFAULT_PORT) };
}

export function formatEngineAddress(address: EngineAddress): string {
  return "socketPath" in address ? address.socketPath : `tcp://${address.host}:${address.port}`;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}

function refused(place: string, reason: string): GranaryError {
  const message = `The Docker engine at ${place.slice(0, 200)} cannot be asked: ${reason}. Name its socket, such as unix://${DEFAULT_SOCKET}, or save the image with "docker save" and use ocifile:FILE.`;
  return new GranaryError("config-invalid", message, { found: place.slice(0, 200) });
}
