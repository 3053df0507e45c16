/**
 * Owns look-ups at DNS servers that the settings name, in the place of the system's: in a network whose DNS leads the names of registries here,
 * only servers outside know where they are. It judges no address: the address guard stands around it.
 */
import { promises } from "node:dns";
import { isIP, isIPv6, type LookupFunction } from "node:net";
import { addressesInHostsFile } from "../../files/hosts-file.ts";
import type { Clock } from "../../observe/clock.ts";

type Found = { readonly address: string; readonly family: 4 | 6 };
type Kinds = { readonly four: boolean; readonly six: boolean };

/** As the system's own resolver asks: each server twice, for five seconds. */
const PATIENCE = { timeout: 5_000, tries: 2 };

/** RFC 8305, 3: how long addresses of one kind wait for those of the other. */
const OTHER_KIND_MS = 50;

/** The server says that there is no such name, or no address of this kind. */
const ABSENT = new Set(["ENOTFOUND", "ENODATA"]);

/**
 * A look-up for `net.connect` that asks `servers` ("9.9.9.9", "192.0.2.53:5353", "[2001:db8::53]:53"), the first one that answers. Addresses,
 * `localhost` and names of the hosts file are looked up at none of them. Fails with `ENOTFOUND`, `EAI_AGAIN`, or the code of c-ares.
 */
export function resolverAt(servers: readonly string[], clock: Clock): LookupFunction {
  const resolver = new promises.Resolver(PATIENCE);
  resolver.setServers(servers);
  return (hostname, options, callback) => {
    const kinds = kindsOf(options.family);
    find(resolver, hostname, kinds, clock).then(
      (found) => {
        const [first] = found;
        if (first === undefined) return callback(failure("ENOTFOUND", hostname), "");
        if (options.all === true) return callback(null, [...found]);
        callback(null, first.address, first.family);
      },
      (error: unknown) => callback(failure(codeOf(error), hostname, error), ""),
    );
  };
}

async function find(
  resolver: promises.Resolver,
  hostname: string,
  kinds: Kinds,
  clock: Clock,
): Promise<readonly Found[]> {
  const known = isIP(hostname) !== 0 ? [hostname] : await knownHere(hostname);
  const wanted = known.map(foundAt).filter(({ family }) => (family === 6 ? kinds.six : kinds.four));
  return wanted.length > 0 || known.length > 0 ? wanted : await ask(resolver, hostname, kinds, clock);
}

async function knownHere(hostname: string): Promise<readonly string[]> {
  const found = await addressesInHostsFile(hostname);
  // RFC 6761, 6.3: these names are this machine, and no business of a DNS server.
  const isLocal = /^(?:.*\.)?localhost\.?$/i.test(hostname);
  return found.length === 0 && isLocal ? ["127.0.0.1", "::1"] : found;
}

/** IPv4 first: where both are there and one does not lead anywhere, that is usually the other. Throws what went wrong where neither came. */
async function ask(
  resolver: promises.Resolver,
  hostname: string,
  { four, six }: Kinds,
  clock: Clock,
): Promise<readonly Found[]> {
  const fours = four ? answered(resolver.resolve4(hostname)) : NOTHING;
  const sixes = six ? answered(resolver.resolve6(hostname)) : NOTHING;
  await Promise.race([Promise.all([fours, sixes]), firstFound(fours, sixes, clock)]);
  const both = await Promise.all([orNothingYet(fours), orNothingYet(sixes)]);
  const found = both.flatMap(({ addresses }) => addresses).map(foundAt);
  const error = both.find((each) => each.error !== undefined)?.error;
  if (found.length === 0 && error !== undefined) throw error;
  return found;
}

type Answered = { readonly addresses: readonly string[]; readonly error?: unknown };

const NOTHING: Promise<Answered> = Promise.resolve({ addresses: [] });

async function answered(asked: Promise<string[]>): Promise<Answered> {
  try {
    return { addresses: await asked };
  } catch (error) {
    return { addresses: [], ...(!ABSENT.has(codeOf(error)) && { error }) };
  }
}

/** Resolves a moment after one of them has addresses; never where none has. */
function firstFound(one: Promise<Answered>, other: Promise<Answered>, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    for (const each of [one, other])
      void each.then(({ addresses }) => {
        if (addresses.length > 0) clock.after(OTHER_KIND_MS, resolve);
      });
  });
}

function orNothingYet(asked: Promise<Answered>): Promise<Answered> {
  return Promise.race([asked, NOTHING]);
}

function kindsOf(family: number | string | undefined): Kinds {
  return { four: family !== 6 && family !== "IPv6", six: family !== 4 && family !== "IPv4" };
}

function foundAt(address: string): Found {
  return { address, family: isIPv6(address) ? 6 : 4 };
}

/** A DNS server that refuses the connection is one that does not answer; as it stands, the code would be taken for the registry's. */
function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return code === "ECONNREFUSED" || code === "ETIMEOUT" ? "EAI_AGAIN" : code;
}

function failure(code: string, hostname: string, cause?: unknown): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} cannot be looked up (${code})`, { cause }), { code, hostname });
}
