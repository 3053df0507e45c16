/** Owns the reading of one request to the fake into the record that the account keeps. */
import type { IncomingMessage } from "node:http";
import type { OriginName, RequestKind, RequestRecord } from "./account.ts";

type Parsed = { kind: RequestKind; repository: string | undefined; reference: string | undefined };

export function parseRequest(origin: OriginName, request: IncomingMessage): RequestRecord {
  // An absolute-form target (a proxy's request) and a path both parse against the base.
  const url = new URL(request.url ?? "/", "http://fake");
  return {
    origin,
    method: request.method ?? "GET",
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    form: undefined,
    range: request.headers.range,
    ...parsePath(origin, url.pathname),
    connection: request.socket.remotePort ?? 0,
    startedAt: Date.now(),
    status: 0,
    bytesSent: 0,
    finished: false,
  };
}

function parsePath(origin: OriginName, path: string): Parsed {
  if (origin === "auth") return { kind: "token", repository: undefined, reference: undefined };
  if (origin === "cdn") {
    return { kind: "blob", repository: undefined, reference: /^\/blobs\/(.+)$/.exec(path)?.[1] };
  }
  if (path === "/v2/" || path === "/v2") return { kind: "ping", repository: undefined, reference: undefined };
  const [, repository, place, reference] =
    /^\/v2\/(.+)\/(manifests|blobs|referrers)\/([^/]+)$/.exec(path) ??
    /^\/v2\/(.+)\/(tags)\/list$/.exec(path) ??
    [];
  const kinds: Record<string, RequestKind> = {
    manifests: "manifest",
    blobs: "blob",
    referrers: "referrers",
    tags: "tags",
  };
  return {
    kind: kinds[place ?? ""] ?? "other",
    repository,
    reference: reference === undefined ? undefined : decodeURIComponent(reference),
  };
}
