/**
 * Owns putting a slow line before a registry with its token server and its CDN, so that a client that only knows the line's
 * addresses stays on the line: the challenges and redirects that it is given name them.
 */
import type { OriginName } from "../fake-registry/account.ts";
import type { Front, SlowLine } from "../slow-line.ts";

export type OriginUrls = Readonly<Record<OriginName, string>>;

/** A registry that can be told which addresses to name for its origins. */
export interface Published {
  /** Base URLs where it really listens. */
  readonly ownUrls: OriginUrls;
  /** From now on these are the origins' base URLs, in what it says of itself and in what it answers. */
  publish(urls: OriginUrls): void;
}

export type OriginFronts = Readonly<Record<OriginName, Front>>;

/** All three origins of `registry` are behind `line`, each on the host that it has without, or all on `host`. */
export async function putBehind(line: SlowLine, registry: Published, host?: string): Promise<OriginFronts> {
  const { ownUrls } = registry;
  const listen = host === undefined ? {} : { host };
  const fronts = {
    registry: await line.front(placeOf(ownUrls.registry), listen),
    auth: await line.front(placeOf(ownUrls.auth), listen),
    cdn: await line.front(placeOf(ownUrls.cdn), listen),
  };
  const urlOf = (origin: OriginName) => {
    const { protocol } = new URL(ownUrls[origin]);
    return `${protocol}//${fronts[origin].host}:${fronts[origin].port}`;
  };
  registry.publish({ registry: urlOf("registry"), auth: urlOf("auth"), cdn: urlOf("cdn") });
  return fronts;
}

function placeOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
