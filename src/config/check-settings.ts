/**
 * Owns the rules that the schema cannot express: names that collide, listeners without an upstream, URLs that cannot be endpoints. It throws
 * `config-invalid` for the first one that is broken.
 */
import { GranaryError } from "../errors.ts";
import { isRepositoryName } from "../oci/reference.ts";
import type { Upstream } from "../upstream/policy.ts";
import { prefixOf } from "../upstream/registry-url.ts";
import type { ListenerSettings } from "./settings.ts";

type Listener = Pick<ListenerSettings, "port" | "host" | "upstream">;

/** Throws `config-invalid` with the path of the key. */
export function checkSettings(listeners: readonly Listener[], upstreams: readonly Upstream[]): void {
  checkNames(upstreams);
  for (const upstream of upstreams) checkUpstream(upstream);
  checkListeners(
    listeners,
    upstreams.map(({ name }) => name),
  );
}

function checkNames(upstreams: readonly Upstream[]): void {
  const owners = new Map(upstreams.map(({ name }) => [name, name]));
  for (const { name, aliases } of upstreams) {
    for (const alias of aliases) {
      const owner = owners.get(alias) ?? name;
      owners.set(alias, owner);
      if (owner === name) continue;
      throw invalid(
        `upstreams.${owner}: "${alias}" is also a name of ${name}; one name can mean only one upstream.`,
      );
    }
  }
}

function checkUpstream({ name, endpoints, internal, policy }: Upstream): void {
  for (const [index, endpoint] of endpoints.entries()) {
    const problem = problemOf(new URL(endpoint), internal);
    if (problem !== undefined) throw invalid(`upstreams.${name}.endpoints.${index}: ${problem}.`);
  }
  if (policy.firstSegment >= 1 && policy.largestSegment >= policy.firstSegment) return;
  throw invalid(`upstreams.${name}.largestSegment: must be at least firstSegment, and that at least 1 byte.`);
}

function problemOf(url: URL, isInternal: boolean): string | undefined {
  if (url.protocol === "http:" && !isInternal) return "plain http needs internal: true";
  if (url.username !== "" || url.password !== "") return "a login belongs in username and password";
  if (url.search !== "" || url.hash !== "") return "expected a URL without a query";
  if (/\/v2\/?$/.test(url.pathname)) return "expected a URL without /v2 at its end";
  const prefix = prefixOf(url.href);
  if (prefix === undefined || isRepositoryName(prefix)) return undefined;
  return `"${prefix}", which follows /v2, is put before every repository name and must be one itself: lower case, such as /v2/docker-hub`;
}

function checkListeners(listeners: readonly Listener[], names: readonly string[]): void {
  const taken = new Set<string>();
  for (const [index, { port, host, upstream }] of listeners.entries()) {
    const path = `listeners.${index}`;
    if (!names.includes(upstream)) {
      throw invalid(`${path}.upstream: "${upstream}" is not configured; known are ${names.join(", ")}.`);
    }
    const place = `${host ?? "*"} ${port}`;
    if (port !== 0 && taken.has(place))
      throw invalid(`${path}.port: port ${port} is used by a listener above.`);
    taken.add(place);
  }
}

function invalid(message: string): GranaryError {
  return new GranaryError("config-invalid", message);
}
