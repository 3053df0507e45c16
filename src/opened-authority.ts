/**
 * Owns how the proxy's authority is opened from the settings, and what the log says of it: that clients have to trust a new certificate, and that
 * the key was open to others. It is only for who has the lock of the storage directory.
 */
import { type Authority, openAuthority } from "./authority/authority.ts";
import { upstreamHosts } from "./authority/upstream-hosts.ts";
import type { Settings } from "./config/settings.ts";
import type { Observers } from "./observe/observers.ts";

/** For the hosts of all upstreams of `settings`. Throws `store-damaged`, `store-full`. */
export async function openedAuthority(
  { storage, upstreams }: Pick<Settings, "storage" | "upstreams">,
  { log, clock }: Pick<Observers, "log" | "clock">,
): Promise<Authority> {
  const hosts = upstreamHosts(upstreams);
  const { authority, made, wasOpen } = await openAuthority(storage.directory, hosts, clock);
  if (made !== "opened") log.warn({ hosts: authority.hosts }, NEWS[made]);
  if (wasOpen)
    log.warn(
      "others on this machine could read the key of the proxy's authority, which is closed now: replace it with granary ca rotate, unless all of them may be trusted",
    );
  return authority;
}

const NEWS = {
  first:
    "the proxy has a certificate authority of its own now: clients must trust its certificate (granary ca show, granary ca install, or /ca.crt of the admin face)",
  renewed:
    "the certificate of the proxy's authority is another one now, by the same key: clients must trust it for hosts that the one before did not permit",
} as const;
