/** Owns what a client must know of the Granary that it is pointed at. Plain data. */
import type { Login } from "../oci/credentials.ts";

export type MirrorTarget = {
  /** Scheme, host and port, without a slash at the end: "http://192.0.2.10:5000". */
  readonly url: string;
  /** Host and port as they stand in names of images: "192.0.2.10:5000". */
  readonly host: string;
  /** It speaks http and not https. */
  readonly isPlain: boolean;
  /** PEM text of the authority that signed its certificate, where clients do not know that one. */
  readonly ca: string | undefined;
  /** It asks for a login, and this one is right. */
  readonly login: Login | undefined;
  /** It asks for a login. */
  readonly wantsLogin: boolean;
  /** The registries that the client is to ask it for. */
  readonly registries: readonly MirroredRegistry[];
};

export type MirroredRegistry = {
  /** As it stands in names of images: "docker.io". */
  readonly name: string;
  /** Base URL of the registry itself: "https://registry-1.docker.io". */
  readonly server: string;
};

/** The value of an Authorization header (RFC 7617). */
export function basicOf({ username, password }: Login): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
