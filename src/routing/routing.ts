/**
 * Owns Routes: which Upstream and which Target a request means, in each of the five ways in which clients name an
 * upstream (docs/protocol.md#naming-the-upstream). Pure: an unknown name ends here, before any look-up or connection
 * (docs/protocol.md#private-addresses). It matches the raw path and decodes nothing but the colon of a digest or a port.
 */
import { LRUCache } from "lru-cache";
import { GranaryError } from "../errors.ts";
import { parseDigest } from "../oci/digest.ts";
import { withoutUserInfo } from "../oci/redact.ts";
import { isRepositoryName, isTag, looksLikeHost } from "../oci/reference.ts";
import { isModelRepository } from "../ollama/model-name.ts";
import type { Upstream } from "../upstream/policy.ts";
import { MOST_QUERY, withoutNs } from "../upstream/registry-url.ts";
import { mostEntries } from "../waiting/expiry.ts";
import type { Target } from "./target.ts";

/** What routing needs to know of an upstream. */
export type RoutedUpstream = Pick<Upstream, "name" | "aliases" | "names">;

export type RouteInput = {
  /** Name of the upstream that the listener implies. */
  readonly listenerUpstream: string;
  /** The client addressed that upstream itself, by its own name: nothing in path, query or headers means another. */
  readonly isAddressed?: boolean | undefined;
  readonly hostHeader: string | undefined;
  /** `host[:port]` of an absolute-form request line: this process is used as an HTTP proxy. */
  readonly absoluteHost: string | undefined;
  /** As the client sent it, still percent-encoded. */
  readonly rawPath: string;
  /** Without the question mark; empty when there is none. */
  readonly rawQuery: string;
};

export type Route = {
  /** Name of the upstream. */
  readonly upstream: string;
  /** Undefined for the base endpoint, `/v2/`. */
  readonly target: Target | undefined;
  /** The `ns` that the client gave: answers carry `OCI-Namespace`, and links of ours repeat it. */
  readonly ns: string | undefined;
  /** The `ns` of the client, when the path names another upstream, which counts; this is logged. */
  readonly overruledNs: string | undefined;
};

/**
 * Makes the function from requests to Routes. That throws `route-unknown` (no such upstream), `reference-invalid` (a
 * path or name that no registry has), `digest-invalid`, `not-found` (no such endpoint, or a tag that cannot exist).
 */
export function createRouter(upstreams: Iterable<RoutedUpstream>): (input: RouteInput) => Route {
  const byHost = new Map<string, RoutedUpstream>();
  for (const upstream of upstreams) {
    for (const name of [upstream.name, ...upstream.aliases]) byHost.set(name.toLowerCase(), upstream);
  }
  const remembered = new LRUCache<string, Route>(mostEntries(REMEMBERED));
  return (input) => {
    const key = keyOf(input);
    const known = remembered.get(key);
    if (known !== undefined) return known;
    const found = route(byHost, input);
    if (key.length <= REMEMBERED_LENGTH) remembered.set(key, found);
    return found;
  };
}

/** The same few paths are requested all the time, and parsing one takes longer than the rest of an answer from a stored manifest. */
const REMEMBERED = 2_000;
/** Longer paths are not kept, so that nobody can fill the memory with them. */
const REMEMBERED_LENGTH = 512;

function keyOf({
  listenerUpstream,
  isAddressed,
  hostHeader,
  absoluteHost,
  rawPath,
  rawQuery,
}: RouteInput): string {
  return `${listenerUpstream} ${isAddressed} ${hostHeader} ${absoluteHost} ${rawPath}?${rawQuery}`;
}

const NO_QUERY = new URLSearchParams();

type ByHost = ReadonlyMap<string, RoutedUpstream>;

function route(byHost: ByHost, input: RouteInput): Route {
  const [before, ...path] = splitPath(input.rawPath);
  const query = input.rawQuery === "" ? NO_QUERY : new URLSearchParams(input.rawQuery);
  if (input.isAddressed === true)
    return addressedRoute(known(byHost, input.listenerUpstream), path, query, input);
  const ns = query.get("ns") || undefined;
  const inPath = upstreamInPath(byHost, before, path);
  const upstream = inPath ?? upstreamBesidePath(byHost, ns, input);
  const isImplied = inPath === undefined && ns === undefined && !namesUpstream(byHost, input);
  if (isImplied) checkListenerName(upstream, path);
  const overruled = ns !== undefined && byHost.get(ns.toLowerCase()) !== upstream;
  return {
    upstream: upstream.name,
    target: path.length === 0 ? undefined : parseTarget(upstream, path, query, input.rawQuery),
    ns,
    overruledNs: overruled ? ns : undefined,
  };
}

function addressedRoute(
  upstream: RoutedUpstream,
  path: readonly string[],
  query: URLSearchParams,
  { rawPath, rawQuery }: RouteInput,
): Route {
  if (!/^\/v2(?:\/|$)/.test(rawPath)) throw noEndpoint(rawPath);
  const target = path.length === 0 ? undefined : parseTarget(upstream, path, query, rawQuery);
  return { upstream: upstream.name, target, ns: undefined, overruledNs: undefined };
}

/** The segment before `/v2` ("" when there is none) and those after it. */
function splitPath(rawPath: string): string[] {
  // The colon is the one character that clients both send and escape (`sha256%3A…`, `reg%3A5000`).
  const path = rawPath.includes("%") ? rawPath.replace(/%3a/gi, ":") : rawPath;
  if (!/^\/[!#$&'()*+,\-./0-9:;=@A-Z_a-z~]*$/.test(path) || /\/\/|\/\.\.?(?:\/|$)/.test(path)) {
    throw new GranaryError("reference-invalid", `The path "${shorten(rawPath)}" is not one of a registry.`);
  }
  const [first = "", second, ...rest] = path.slice(1).split("/");
  if (first !== "v2" && second !== "v2") throw noEndpoint(rawPath);
  const before = first === "v2" ? "" : first;
  const after = first === "v2" && second !== undefined ? [second, ...rest] : rest;
  return after.length === 1 && after[0] === "" ? [before] : [before, ...after];
}

/**
 * The upstream that a prefix names, before `/v2/` or as the first segment after it; the latter is taken off `path`. A first segment that
 * looks like a host but is not the name of an upstream is part of the repository (my.group/app, gcr.io/google.com/…): it is never
 * looked up or connected to.
 */
function upstreamInPath(
  byHost: ByHost,
  before: string | undefined,
  path: string[],
): RoutedUpstream | undefined {
  const outer = before ? known(byHost, before) : undefined;
  const [first] = path;
  if (first === undefined || path.length < 2 || !looksLikeHost(first)) return outer;
  const inner = byHost.get(first.toLowerCase());
  if (inner !== undefined) path.shift();
  return inner ?? outer;
}

/**
 * When only the listener implies the registry, and the path begins with a host name that cannot begin a repository name there, the client
 * means a registry that is not configured. Throws an error that says so. Hub namespaces have no dots (docs/protocol.md#podman-mirror-paths).
 */
function checkListenerName({ names }: RoutedUpstream, path: readonly string[]): void {
  const [first = ""] = path;
  if (path.length < 2 || !looksLikeHost(first)) return;
  if (names === "hub" || !isNameAt(names, path.slice(0, -2).join("/"))) throw unknownUpstream(first);
}

function namesUpstream(byHost: ByHost, { absoluteHost, hostHeader }: RouteInput): boolean {
  return absoluteHost !== undefined || findHost(byHost, hostHeader) !== undefined;
}

/** `ns`, else the host of the request line, else the Host header (DNS override), else the listener's own. */
function upstreamBesidePath(byHost: ByHost, ns: string | undefined, input: RouteInput): RoutedUpstream {
  if (ns !== undefined) return known(byHost, ns);
  const { absoluteHost, hostHeader, listenerUpstream } = input;
  if (absoluteHost === undefined) return findHost(byHost, hostHeader) ?? known(byHost, listenerUpstream);
  return findHost(byHost, absoluteHost) ?? known(byHost, absoluteHost);
}

/** undefined for Granary's own host and for unknown ones. Ports 80 and 443 are ignored; any other port makes it another host. */
function findHost(byHost: ByHost, host: string | undefined): RoutedUpstream | undefined {
  if (host === undefined) return undefined;
  const name = host.toLowerCase();
  return byHost.get(name) ?? byHost.get(name.replace(/:(?:80|443)$/, ""));
}

function known(byHost: ByHost, name: string): RoutedUpstream {
  const upstream = byHost.get(name.toLowerCase());
  if (upstream === undefined) throw unknownUpstream(name);
  return upstream;
}

function parseTarget(
  upstream: RoutedUpstream,
  path: readonly string[],
  query: URLSearchParams,
  rawQuery: string,
): Target {
  const last = path.at(-1) ?? "";
  const kind = path.at(-2);
  const at = () => ({ upstream: upstream.name, repository: parseRepository(upstream, path.slice(0, -2)) });
  switch (kind) {
    case "manifests":
      return { kind: "manifest", ...at(), reference: parseManifestReference(last) };
    case "blobs":
      return { kind: "blob", ...at(), digest: parseDigest(last) };
    case "referrers":
      return {
        kind,
        ...at(),
        digest: parseDigest(last),
        artifactType: query.get("artifactType") || undefined,
      };
    case "tags":
      if (last !== "list") break;
      return { kind, ...at(), query: parseListQuery(rawQuery) };
  }
  throw noEndpoint(`/v2/${path.join("/")}`);
}

/** The query of a page of tags: `n` and `last`, or whatever the registry puts into its links. */
function parseListQuery(rawQuery: string): string {
  if (rawQuery.length <= MOST_QUERY && /^[!$-;=?-Z[\]_a-z|~]*$/.test(rawQuery)) return withoutNs(rawQuery);
  throw new GranaryError("reference-invalid", `"${shorten(rawQuery)}" is not the query of a list.`);
}

function parseRepository(upstream: RoutedUpstream, segments: readonly string[]): string {
  const [first = ""] = segments;
  if (upstream.names === "hub" && segments.length > 1 && looksLikeHost(first)) throw unknownUpstream(first);
  const given = segments.join("/");
  // Hub serves its official images only under "library/", and answers 401 without it (docs/protocol.md#docker-hub-names).
  const name = upstream.names === "hub" && segments.length === 1 ? `library/${given}` : given;
  if (isNameAt(upstream.names, name)) return name;
  throw new GranaryError(
    "reference-invalid",
    `"${shorten(given)}" is not a repository name of ${upstream.name}.`,
  );
}

function isNameAt(names: RoutedUpstream["names"], name: string): boolean {
  return names === "ollama" ? isModelRepository(name) : isRepositoryName(name);
}

function parseManifestReference(text: string) {
  if (text.includes(":")) return { digest: parseDigest(text) };
  // 404, not 400: the conformance suite asks for `.INVALID_MANIFEST_NAME` (docs/protocol.md#names).
  if (!isTag(text)) throw new GranaryError("not-found", `"${shorten(text)}" cannot be a tag.`);
  return { tag: text };
}

function unknownUpstream(name: string): GranaryError {
  const message = `"${shorten(name)}" is no upstream of this mirror; add it under "upstreams" to use it.`;
  return new GranaryError("route-unknown", message, { target: shorten(name) });
}

function noEndpoint(path: string): GranaryError {
  return new GranaryError("not-found", `There is nothing at "${shorten(path)}".`);
}

/** A client's text for a message: without a login before a host, and not too long. */
function shorten(written: string): string {
  const text = withoutUserInfo(written);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
