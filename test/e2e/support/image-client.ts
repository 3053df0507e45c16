/**
 * Owns the port to a real container client in the tests: started with empty state and Granary as its only way to
 * Docker Hub. What it reports is what the client itself holds, never what the test expects.
 */

export type ImageName = { readonly repository: string; readonly tag: string };

/** Digests as the client stores them. */
export type PulledImage = { readonly manifest: string; readonly config: string };

export interface ImageClient {
  /** Pulls the image of Docker Hub and says what arrived. Throws when the client fails. */
  pull(image: ImageName): Promise<PulledImage>;
}

export type ImageClientKind<Client extends ImageClient = ImageClient> = {
  readonly name: string;
  /** Programs without which it cannot run. */
  readonly programs: readonly string[];
  /** A client of its own, with nothing in it; `port` is Granary's listener for Docker Hub. */
  start(cleanup: AsyncDisposableStack, port: number): Promise<Client>;
};

/**
 * Real clients go to Docker Hub itself, silently, when a mirror fails them (docs/protocol.md#what-each-status-does). Through this
 * dead proxy they cannot; loopback addresses are never proxied.
 */
export const NO_WAY_OUT = { HTTPS_PROXY: "http://127.0.0.1:9", https_proxy: "http://127.0.0.1:9" };
