/**
 * Owns what is written into the page's document before it is served: addresses that change with every version of the page, the names of its
 * packages, and the list of all modules that it needs, so that a browser asks for them at once and not one after the other. Pure.
 */
import { createHash } from "node:crypto";
import { posix } from "node:path";

/** As it stands in the file, which is a document without us too. */
const EMPTY_MAP = '<script type="importmap">{}</script>';

/** Every address of the page begins so. */
const PLACE = "/page/";

export type PageDocument = { readonly html: string; readonly scriptHash: string };

/** A text that is another one when any of these files is another. */
export function versionOf(files: ReadonlyMap<string, Buffer>): string {
  const hash = createHash("sha256");
  for (const [address, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${address}\n${bytes.length}\n`).update(bytes);
  return hash.digest("base64url").slice(0, 16);
}

/** The address of a file in this version of the page: what is cached under it stays right for ever. */
function versioned(address: string, version: string): string {
  return `${PLACE}v-${version}/${address.slice(PLACE.length)}`;
}

/** The opposite: the file that is meant, and the version by which it was asked for, if by any. */
export function fileMeantBy(path: string): {
  readonly address: string;
  readonly version: string | undefined;
} {
  const [, version, rest] = /^\/page\/v-([\w-]+)\/(.*)$/s.exec(path) ?? [];
  return { address: rest === undefined ? path : `${PLACE}${rest}`, version };
}

/**
 * @param source the document as it was written
 * @param files every other file by its address
 * @param packages addresses of the packages by the names under which modules import them
 */
export function pageDocument(
  source: string,
  files: ReadonlyMap<string, Buffer>,
  packages: ReadonlyMap<string, string>,
  version: string,
): PageDocument {
  const imports = Object.fromEntries(
    [...packages].map(([name, address]) => [name, versioned(address, version)]),
  );
  const map = JSON.stringify({ imports });
  // After the map: browsers of two years ago take no map once they load a module.
  const preloads = modulesOf(`${PLACE}main.js`, files, packages)
    .map((address) => `\n<link rel="modulepreload" href="${versioned(address, version)}">`)
    .join("");
  const html = source
    .replaceAll(`"${PLACE}`, `"${versioned(PLACE, version)}`)
    .replace(EMPTY_MAP, () => `${EMPTY_MAP.replace("{}", map)}${preloads}`);
  return { html, scriptHash: `sha256-${createHash("sha256").update(map).digest("base64")}` };
}

/**
 * The same module without the comments that have lines of their own, types and explanations: a quarter of what would be sent. Every other line
 * keeps its number, so that what a browser says of a line is true of the file in `src/page` too.
 */
export function withoutComments(module: Buffer): Buffer {
  const text = module
    .toString("utf8")
    .replaceAll(WHOLE_COMMENTS, (comment) => comment.replaceAll(/[^\n]/g, ""));
  return Buffer.from(text);
}

/** From the beginning of a line to the end of one. */
const WHOLE_COMMENTS = /^[ \t]*\/\*\*(?:(?!\*\/)[\s\S])*\*\/[ \t]*$|^[ \t]*\/\/.*$/gm;

/** What follows the words import and export up to the name in quotes; import() of a comment or for later is not meant. */
const IMPORTS = /\b(?:import|export)\b[^"'`();]*?["']([^"'\n]+)["']/g;

/** Addresses of all modules that `first` imports, itself and theirs included. */
function modulesOf(
  first: string,
  files: ReadonlyMap<string, Buffer>,
  packages: ReadonlyMap<string, string>,
): string[] {
  const found = new Set([first]);
  // What is added to a Set while it is walked is walked as well.
  for (const address of found) {
    const text = files.get(address)?.toString("utf8") ?? "";
    for (const [, name = ""] of text.matchAll(IMPORTS)) {
      const target = packages.get(name) ?? posix.join(posix.dirname(address), name);
      if (files.has(target)) found.add(target);
    }
  }
  return [...found];
}
