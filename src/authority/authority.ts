/**
 * Owns the certificate authority by which the proxy ends TLS of upstreams' hosts: opened from the storage directory, made where there is none,
 * renewed by the same key, or replaced by another one. The key leaves this folder for nobody, and enters no message.
 */
import type { KeyObject } from "node:crypto";
import { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import {
  authorityCertificatePath,
  authorityKeyPath,
  readAuthorityFiles,
  writeAuthorityCertificate,
  writeAuthorityKey,
} from "../store/authority-files.ts";
import { type Layout, layoutOf } from "../store/layout.ts";
import { certificateOf, keyText, newKey, readKey } from "./authority-key.ts";
import { authorityCertificate, permitsExactly } from "./certificates.ts";
import { type LeafCertificate, Leaves, type Signer } from "./leaves.ts";
import { isPermittedHost } from "./permitted-host.ts";

export type { LeafCertificate };

export interface Authority {
  /** The authority's own certificate, PEM: what clients must trust. */
  readonly certificate: string;
  /** Names and addresses that it may sign for, in lower case: its critical name constraints. */
  readonly hosts: readonly string[];
  /**
   * A certificate for one of `hosts`, or for a name below one of them; kept, and made anew when less than a day of it is left. Throws `denied`
   * for every other host.
   */
  leaf(host: string): Promise<LeafCertificate>;
}

export type OpenedAuthority = {
  readonly authority: Authority;
  /**
   * "first": there was none. "renewed": another certificate by the same key, for other hosts or another time. Clients that trust the one before
   * go on with the hosts that it permits, until its end; for new hosts they have to trust this one.
   */
  readonly made: "opened" | "first" | "renewed";
  /** Others on this machine could read the key until now: it should be replaced (`rotateAuthority`) unless they are trusted. */
  readonly wasOpen: boolean;
};

const DAY_MS = 86_400_000;
const LIFE_MS = 10 * 365 * DAY_MS;
/** Clocks differ, and some machines start with one that is hours behind. */
const BEFORE_MS = DAY_MS;
/** People have half a year to make their clients trust the next one. */
const LEAST_LEFT_MS = 180 * DAY_MS;

/**
 * The authority of the storage directory `directory`, for `hosts`; made where there is none, and its certificate made anew where it permits
 * other hosts, ends within half a year, or is not one of the key. For who has the lock of the directory. Throws `store-damaged` for a key that
 * is gone or cannot be read, with what to do; `store-full`.
 */
export async function openAuthority(
  directory: string,
  hosts: readonly string[],
  clock: Clock,
): Promise<OpenedAuthority> {
  const layout = layoutOf(directory);
  const permitted = inOrder(hosts);
  const { key: text, certificate, wasOpen } = await readAuthorityFiles(layout);
  const key = text === undefined ? undefined : readKey(text);
  if (key === undefined && (text !== undefined || certificate !== undefined)) throw unusable(layout, text);
  if (key === undefined)
    return { authority: await makeAll(layout, permitted, clock), made: "first", wasOpen };
  const until = certificate === undefined ? undefined : goodUntil(key, certificate, permitted, clock);
  if (certificate !== undefined && until !== undefined)
    return { authority: authorityOf({ key, certificate, until }, permitted, clock), made: "opened", wasOpen };
  const authority = await makeCertificate(layout, key, permitted, clock);
  return { authority, made: certificate === undefined ? "first" : "renewed", wasOpen };
}

/**
 * Another key and a certificate of it, in place of what is there, which need not be readable: clients must trust it anew. For who has the lock
 * of the directory. Throws `store-full`, `store-damaged`.
 */
export async function rotateAuthority(
  directory: string,
  hosts: readonly string[],
  clock: Clock,
): Promise<Authority> {
  return await makeAll(layoutOf(directory), inOrder(hosts), clock);
}

/** The key first: a kill between the two leaves a certificate of another key, which the next start makes anew. */
async function makeAll(layout: Layout, hosts: readonly string[], clock: Clock): Promise<Authority> {
  const key = await newKey();
  await writeAuthorityKey(layout, keyText(key));
  return await makeCertificate(layout, key, hosts, clock);
}

async function makeCertificate(
  layout: Layout,
  key: KeyObject,
  hosts: readonly string[],
  clock: Clock,
): Promise<Authority> {
  const now = clock.now();
  const until = now + LIFE_MS;
  const certificate = await authorityCertificate(key, hosts, { from: now - BEFORE_MS, until });
  await writeAuthorityCertificate(layout, certificate);
  return authorityOf({ key, certificate, until }, hosts, clock);
}

/** The end of a certificate that can be used as it is, epoch ms. */
function goodUntil(key: KeyObject, pem: string, hosts: readonly string[], clock: Clock): number | undefined {
  const until = certificateOf(key, pem)?.validToDate.getTime();
  if (until === undefined || until - clock.now() < LEAST_LEFT_MS) return undefined;
  return permitsExactly(pem, hosts) ? until : undefined;
}

function authorityOf(signer: Signer, hosts: readonly string[], clock: Clock): Authority {
  const leaves = new Leaves(signer, clock);
  return {
    certificate: signer.certificate,
    hosts,
    leaf: async (asked) => {
      const host = asked.toLowerCase();
      if (!isPermittedHost(host, hosts)) throw notPermitted(host);
      return await leaves.of(host);
    },
  };
}

function inOrder(hosts: readonly string[]): string[] {
  return [...new Set(hosts.map((host) => host.toLowerCase()))].sort();
}

function notPermitted(host: string): GranaryError {
  const text = `No certificate is made for ${host}: it is no host of a configured upstream.`;
  return new GranaryError("denied", text, { target: host });
}

function unusable(layout: Layout, key: string | undefined): GranaryError {
  const [path, certificate] = [authorityKeyPath(layout), authorityCertificatePath(layout)];
  const problem =
    key === undefined ? `is gone, and its certificate ${certificate} is there` : "is no key that can be used";
  const text = `The key of the proxy's authority, ${path}, ${problem}: put it back from a copy, or make a new authority with \`granary ca rotate\`, which every client must trust anew.`;
  return new GranaryError("store-damaged", text, { target: path, saysWhatToDo: true });
}
