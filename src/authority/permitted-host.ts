/** Owns the question whether the authority may sign for a host: for those that it is made for, and for names below them. Pure. */
import { isIP } from "node:net";

/** RFC 1035, 2.3.4 and RFC 1123, 2.1; registries in private networks have underscores in their names as well. */
const NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** `host` and `hosts` are in lower case. An address has nothing below it. */
export function isPermittedHost(host: string, hosts: readonly string[]): boolean {
  if (hosts.includes(host)) return true;
  if (isIP(host) !== 0 || !NAME.test(host)) return false;
  return hosts.some((each) => isIP(each) === 0 && host.endsWith(`.${each}`));
}
