/**
 * Owns what of a bundle on this machine goes to the server: first its lists and manifests alone, of which the server says what it lacks; then
 * these and what is lacking, so that nothing is sent that is there already. The file stays on the disk: parts of it are sent as they are.
 */
import { filesOfTar, TAR_END } from "./tar.js";

const INDEX = "index.json";
/** What the server reads of a manifest at most. */
const MOST_MANIFEST = 4 * 2 ** 20;

/** @typedef {import("./tar.js").TarFile} TarFile */

/**
 * @typedef {{
 *   readonly file: File,
 *   readonly head: Blob,
 *   readonly blobs: ReadonlyMap<string, TarFile>,
 * }} Incoming `head` has the lists and manifests; `blobs` are by digest.
 */

/**
 * Throws with a sentence for what is no bundle.
 * @param {File} file
 * @returns {Promise<Incoming>}
 */
export async function readIncoming(file) {
  /** @type {Map<string, TarFile>} */
  const blobs = new Map();
  /** @type {TarFile | undefined} */
  let index;
  for await (const each of filesOfTar(file)) {
    const [, algorithm, hex] = /^blobs\/([a-z0-9]+)\/([0-9a-f]+)$/.exec(each.name) ?? [];
    if (each.name === INDEX) index = each;
    else if (hex !== undefined) blobs.set(`${algorithm}:${hex}`, each);
  }
  if (index === undefined)
    throw new Error(
      "This archive has no index.json, so it is no bundle. What an older “docker save” wrote is imported by the command below.",
    );
  const manifests = await manifestsOf(file, index, blobs);
  const head = new Blob([...[index, ...manifests].map((each) => partOf(file, each)), TAR_END]);
  return { file, head, blobs };
}

/**
 * The head, and of `digests` what the file has.
 * @param {Incoming} incoming
 * @param {readonly string[]} digests
 */
export function wholeOf({ file, head, blobs }, digests) {
  const wanted = digests.flatMap((digest) => {
    const found = blobs.get(digest);
    return found === undefined ? [] : [partOf(file, found)];
  });
  return new Blob([head.slice(0, head.size - TAR_END.length), ...wanted, TAR_END]);
}

/** @param {File} file @param {TarFile} part */
function partOf(file, { start, end }) {
  return file.slice(start, end);
}

/**
 * In the order in which the server reads them: each after what lists it.
 * @param {File} file
 * @param {TarFile} index
 * @param {ReadonlyMap<string, TarFile>} blobs
 */
async function manifestsOf(file, index, blobs) {
  const found = new Set(await listedIn(file, index));
  /** @type {TarFile[]} */
  const manifests = [];
  // A set is walked with what is added to it on the way.
  for (const digest of found) {
    const manifest = blobs.get(digest);
    if (manifest === undefined || manifest.size > MOST_MANIFEST) continue;
    manifests.push(manifest);
    for (const child of await listedIn(file, manifest)) found.add(child);
  }
  return manifests;
}

/** Digests of the manifests that a list names. @param {File} file @param {TarFile} list @returns {Promise<string[]>} */
async function listedIn(file, { body, size }) {
  try {
    const { manifests = [] } = JSON.parse(await file.slice(body, body + size).text());
    return manifests.map((/** @type {{ digest: string }} */ { digest }) => digest);
  } catch {
    // The server says what is wrong with it.
    return [];
  }
}
