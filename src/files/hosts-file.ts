/** Owns the names that the hosts file of this machine gives addresses to: what stands there counts before any DNS server is asked. */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";

const HOSTS_FILE = process.platform === "win32" ? "C:\\Windows\\System32\\drivers\\etc\\hosts" : "/etc/hosts";

/** Addresses that the hosts file names for `hostname`; none where there is no such file. It is read each time: people change it. */
export async function addressesInHostsFile(hostname: string): Promise<readonly string[]> {
  try {
    return addressesIn(await readFile(HOSTS_FILE, "utf8"), hostname);
  } catch {
    return []; // A container may have none, and then it names nothing.
  }
}

/** Addresses that `text`, in the form of a hosts file, names for `hostname`. Pure. */
export function addressesIn(text: string, hostname: string): readonly string[] {
  const wanted = plain(hostname);
  return text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    return isIP(address) !== 0 && names.some((name) => plain(name) === wanted) ? [address] : [];
  });
}

function plain(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
