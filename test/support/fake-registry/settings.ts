/**
 * Owns what a fake registry can be told to be like, as plain mutable data, and the three personalities it starts
 * from. Tests change the values at any time; nothing here does anything.
 */

import type { RequestKind } from "./account.ts";

export type FakeMode = "hub" | "plain" | "ollama";

export type FakeSettings = {
  auth: "none" | "bearer" | "basic";
  /** Whether the registry serves blob bytes itself or redirects to the CDN origin. */
  getBlob: "direct" | "redirect";
  headBlob: "direct" | "redirect";
  /** Blobs come chunked and whole, whatever range is asked for, and neither HEAD nor GET says how large they are. */
  hidesSizes: boolean;
  redirectStatus: number;
  /** How long a signed CDN URL works. */
  signedForMs: number;
  /** Bytes per second of one connection, per origin; undefined is no limit. */
  bandwidth: { registry: number | undefined; cdn: number | undefined };
  /** Wait before headers, per origin. */
  latencyMs: { registry: number; cdn: number; auth: number };
  /** What a token says it lasts, in seconds; `undefined` leaves the field out (then it lasts 60 s). */
  tokenExpiresIn: number | undefined;
  tokenFields: "token" | "access_token" | "both";
  /** Docker Hub's tokens say what they open ("jwt"); ghcr.io's do not. */
  tokenForm: "jwt" | "opaque";
  /** Kinds of question that nobody without a login gets an answer to: the shared address's budget is spent (429). */
  anonymousLimits: Set<RequestKind>;
  /** The token server refuses those who may not read what they ask a token for, as ghcr.io does (403). */
  refusesTokens: boolean;
  users: Record<string, string>;
  /** User names by identity token: with any, the token server knows OAuth2 (POST). */
  identityTokens: Record<string, string>;
  /** Repositories that only a signed-in user may read. */
  privateRepositories: Set<string>;
  /** Who of the users may read a private repository; all of them where it names nobody. */
  readers: Record<string, readonly string[]>;
  /** The realm that challenges name, in place of this fake's own. */
  realm: string | undefined;
  /** What challenges call the registry, and what a token must have been asked for. */
  service: string;
  /** The realm named to a caller who shows an expired token (nvcr.io). */
  staleRealm: string | undefined;
  /** The scope that challenges name, in place of the true one (ghcr.io). */
  challengeScope: string | undefined;
  rateLimit: { limit: number; windowSeconds: number } | undefined;
  /** `Retry-After` of the spent-limit answer. */
  retryAfter: string | undefined;
  /** `If-None-Match` is answered with 304. */
  conditional: boolean;
  conditionalCounts: boolean;
  referrers: "native" | "404" | "html" | "401";
  link: "relative" | "absolute";
  /** What its links ask to be asked with: `last` and `n`, or a token that only this registry can read (quay.io, ECR). */
  paging: "last" | "token";
  /** The most tags on a page whatever is asked; "all" is a registry that knows no pages. */
  tagsPerPage: number | "all" | undefined;
  /** Referrers on a page; undefined is all of them. */
  referrersPerPage: number | undefined;
  /** Accept decides what is answered, as Docker Hub does it. */
  acceptRules: boolean;
  /** How it says that Accept lists nothing that it has there. */
  untakenStatus: 404 | 406;
  /** `text/plain` manifests without Docker-Content-Digest, as the Ollama registry gives them. */
  plainTextManifests: boolean;
  /** An absent repository is a 401, whatever token is shown. */
  hidesAbsence: boolean;
  /** Manifest requests whose User-Agent does not match hear 412 with this text. */
  outdated: { unlessUserAgent: RegExp; text: string } | undefined;
};

export function settingsOf(mode: FakeMode): FakeSettings {
  const settings: FakeSettings = {
    auth: "none",
    getBlob: "direct",
    headBlob: "direct",
    hidesSizes: false,
    redirectStatus: 307,
    signedForMs: 20 * 60_000,
    bandwidth: { registry: undefined, cdn: undefined },
    latencyMs: { registry: 0, cdn: 0, auth: 0 },
    tokenExpiresIn: 300,
    tokenFields: "both",
    tokenForm: "opaque",
    anonymousLimits: new Set(),
    refusesTokens: false,
    users: {},
    identityTokens: {},
    privateRepositories: new Set(),
    readers: {},
    realm: undefined,
    service: "fake.registry",
    staleRealm: undefined,
    challengeScope: undefined,
    rateLimit: undefined,
    retryAfter: undefined,
    conditional: true,
    conditionalCounts: true,
    referrers: "native",
    link: "relative",
    paging: "last",
    tagsPerPage: undefined,
    referrersPerPage: undefined,
    acceptRules: false,
    untakenStatus: 404,
    plainTextManifests: false,
    hidesAbsence: false,
    outdated: undefined,
  };
  if (mode === "plain") return settings;
  if (mode === "ollama") {
    return {
      ...settings,
      getBlob: "redirect",
      plainTextManifests: true,
      conditional: false,
      referrers: "404",
    };
  }
  return {
    ...settings,
    auth: "bearer",
    tokenForm: "jwt",
    getBlob: "redirect",
    acceptRules: true,
    hidesAbsence: true,
  };
}
