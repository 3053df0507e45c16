/**
 * Owns other registries for the names of a source: what was pulled through a Granary is called after that in the client's own store, and here
 * it is wanted under the registry that it comes from.
 */
import type { ListedName } from "../../bundle/bundle-index.ts";
import type { ImportSource } from "../../client/imports/import-source.ts";
import { misused } from "../exit-code.ts";

/** `source` with names of the registry OLD as names of NEW, for each `OLD=NEW`. Throws `config-invalid` for a text that is not of that form, or an OLD that the source does not have. */
export function renamedSource(source: ImportSource, renames: readonly string[]): ImportSource {
  const others = new Map(renames.map(parseRename));
  const hosts = new Set(source.names.flatMap(({ upstream }) => upstream?.toLowerCase() ?? []));
  for (const old of others.keys()) if (!hosts.has(old)) throw unknownHost(old, hosts, source);
  const renamed = (name: ListedName) => {
    const upstream = others.get(name.upstream?.toLowerCase() ?? "") ?? name.upstream;
    return { ...name, upstream };
  };
  return others.size === 0 ? source : { ...source, names: source.names.map(renamed) };
}

function parseRename(text: string): readonly [string, string] {
  const [, old, other] = /^([^=\s]+)=([^=\s]+)$/.exec(text) ?? [];
  if (old !== undefined && other !== undefined) return [old.toLowerCase(), other];
  throw misused(`--rename takes OLD=NEW, two registries, and not "${text.slice(0, 100)}".`);
}

function unknownHost(old: string, hosts: ReadonlySet<string>, { path }: ImportSource) {
  const known = [...hosts].slice(0, 10).join(", ") || "none";
  return misused(`${path} has no name of the registry "${old.slice(0, 100)}": it has names of ${known}.`);
}
