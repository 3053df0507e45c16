/**
 * Owns where an image lies, as people write it: in a registry, in a file or folder (`ocifile:`), or in a Docker engine
 * (`docker-daemon:`). Pure: nothing is opened here.
 */
import { invalid, parseReference, type Reference } from "../../oci/reference.ts";

export type ImageLocation =
  | { readonly kind: "registry"; readonly reference: Reference }
  | { readonly kind: "archive"; readonly path: string; readonly name: string | undefined }
  | { readonly kind: "engine"; readonly name: string };

const ARCHIVE = /^ocifile:(?:\/\/)?/;
const ENGINE = /^docker-daemon:(?:\/\/)?/;

/**
 * `ocifile:PATH` or `ocifile://PATH` (then `//` is not part of the path) is an archive or a layout; what follows the last `#`
 * names one image in it. No name of an image has a `#`; a path that has one is closed with another: `ocifile:a#b.tar#`.
 * `docker-daemon:NAME` is an image of the Docker engine. Everything else is a reference (parseReference). Throws
 * `reference-invalid`.
 */
export function parseImageLocation(text: string): ImageLocation {
  if (ARCHIVE.test(text)) return parseArchive(text);
  if (!ENGINE.test(text)) return { kind: "registry", reference: parseReference(text) };
  const name = text.replace(ENGINE, "");
  if (name === "") throw invalid(text, "there is no name of an image after docker-daemon:");
  return { kind: "engine", name };
}

function parseArchive(text: string): ImageLocation {
  const place = text.replace(ARCHIVE, "");
  const hash = place.lastIndexOf("#");
  const path = hash < 0 ? place : place.slice(0, hash);
  const name = hash < 0 ? "" : place.slice(hash + 1);
  if (path === "" || path.includes("\0")) throw invalid(text, "there is no path of a file after ocifile:");
  return { kind: "archive", path, name: name === "" ? undefined : name };
}
