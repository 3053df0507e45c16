/**
 * Owns what a person types as the source of an import: which kind it is, where it lies, and which of its names are meant. The source is opened
 * with this user's rights: the server need not be able to read it.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { hostedNames, rootOf } from "../../bundle/attached-names.ts";
import type { ListedName } from "../../bundle/bundle-index.ts";
import { textOfName } from "../../bundle/bundle-name.ts";
import { hostPlatform } from "../../client/images/host-platform.ts";
import type { ArchiveKind } from "../../client/imports/archive-imports.ts";
import type { ImportSource } from "../../client/imports/import-source.ts";
import { openRegistryImports } from "../../client/imports/registry-imports.ts";
import { GranaryError } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { parsePlatform } from "../../oci/platform.ts";
import { DOCKER_HUB, isRepositoryName, parseReference } from "../../oci/reference.ts";
import { OLLAMA_REGISTRY } from "../../ollama/model-name.ts";
import { matches, parsePattern } from "../../routing/name-pattern.ts";
import type { RoutedUpstream } from "../../routing/routing.ts";
import { misused } from "../exit-code.ts";

export type SourceFlags = {
  readonly platform?: readonly string[];
  readonly insecure?: boolean;
  readonly config?: string;
};

/** For the help. */
export const SOURCES = `Sources:
  bundle:FILE           a bundle of granary bundle export; - is standard input
  oci:PATH              an OCI image layout: a folder, or a tar of one
  docker-archive:FILE   what docker save wrote
  ollama:DIRECTORY      Ollama's own store; without a directory $OLLAMA_MODELS, or ~/.ollama/models
  granary:DIRECTORY     the storage directory of another Granary that does not run
  registry:NAME         a registry that need be no upstream here: registry:staging.test:5000/team/app:1`;

const ARCHIVES: Readonly<Record<string, ArchiveKind>> = {
  bundle: "oci",
  oci: "oci",
  "docker-archive": "any",
};

/** Throws `config-invalid` for what is no source, and what the kind of source throws. The caller closes it. */
export async function openImportSource(
  text: string,
  { platform, insecure, config }: SourceFlags,
  signal: AbortSignal,
): Promise<ImportSource> {
  const { openStreamImports, openArchiveImports } = await import("../../client/imports/archive-imports.ts");
  const { openOllamaImports } = await import("../../client/imports/ollama-imports.ts");
  const { openDirectoryImports } = await import("../../other-directory.ts");
  const { sourceFor } = await import("../../library/default-source.ts");
  const [, kind = "", place = ""] = /^([a-z-]+):(.*)$/s.exec(text) ?? [];
  const archive = ARCHIVES[kind];
  if ((platform !== undefined || insecure !== undefined) && kind !== "registry")
    throw misused("--platform and --insecure go with a registry: of other sources everything is imported.");
  if (archive !== undefined && place === "-")
    return await openStreamImports(process.stdin, archive, { signal });
  if (archive !== undefined && place !== "") return await openArchiveImports(place, archive, { signal });
  if (kind === "ollama") return await openOllamaImports(place === "" ? usualModels() : fromHome(place));
  if (kind === "granary" && place !== "") return await openDirectoryImports(fromHome(place));
  if (kind === "registry" && place !== "") {
    const platforms = platform?.map(parsePlatform) ?? [hostPlatform()];
    const reach = { ...(insecure && { insecure }), ...(config !== undefined && { config }) };
    const { source } = await sourceFor(reach);
    return await openRegistryImports(source, parseReference(place), platforms, signal);
  }
  throw misused(`"${text.slice(0, 200)}" is no source of an import.\n${SOURCES}`);
}

/**
 * Those of `source` that the patterns stand for, with what is attached to them; all without patterns. Throws `not-found` for a pattern that
 * matches nothing, and what `source` throws.
 */
export async function chosenNames(
  source: ImportSource,
  patterns: readonly string[],
): Promise<readonly ListedName[]> {
  if (patterns.length === 0) return source.names;
  const hosts = new Set(source.names.flatMap(({ upstream }) => upstream ?? []));
  const upstreams = [...new Set([DOCKER_HUB, OLLAMA_REGISTRY, ...hosts])].map((host) =>
    routedBy(host, source),
  );
  const chosen = new Set<ListedName>();
  for (const text of patterns) {
    const pattern = parsePattern(text, upstreams);
    const found = source.names.filter((name) => isNamed(name) && matches(pattern, name));
    if (found.length === 0) throw matchesNothing(text, source);
    for (const name of found) chosen.add(name);
  }
  return await withAttached(source, chosen);
}

async function withAttached(
  source: ImportSource,
  chosen: ReadonlySet<ListedName>,
): Promise<readonly ListedName[]> {
  const manifests = new Map<Digest, Uint8Array>();
  let bytes = 0;
  for (const { digest } of source.names) {
    if (bytes > MOST_MANIFEST_BYTES) break;
    const manifest = manifests.has(digest) ? undefined : await source.manifest(digest);
    if (manifest !== undefined) manifests.set(digest, manifest);
    bytes += manifest?.length ?? 0;
  }
  const hosted = hostedNames(source.names, (digest) => manifests.get(digest));
  const hosts = new Map(hosted.map(({ name, host }) => [name, host]));
  return source.names.filter((name) => chosen.has(name) || chosen.has(rootOf(name, hosts)));
}

/** Models that were pulled through something else are called after that, and keep their own kind of names. */
function routedBy(name: string, { names: all }: ImportSource): RoutedUpstream {
  const hasModels = all.some(
    ({ upstream, repository }) => upstream === name && !isRepositoryName(repository ?? "none"),
  );
  const names = name === DOCKER_HUB ? "hub" : name === OLLAMA_REGISTRY || hasModels ? "ollama" : "oci";
  return { name, aliases: [], names };
}

type Named = ListedName & { readonly upstream: string; readonly repository: string };

function isNamed(name: ListedName): name is Named {
  return name.upstream !== undefined && name.repository !== undefined;
}

const MOST_SHOWN = 10;
/** In memory at once; what is attached to names behind that has to be chosen by itself. */
const MOST_MANIFEST_BYTES = 128 * 2 ** 20;

function matchesNothing(text: string, { path, names }: ImportSource): GranaryError {
  const shown = names.filter(isNamed).map(textOfName);
  const more = shown.length > MOST_SHOWN ? ` and ${shown.length - MOST_SHOWN} more` : "";
  const message = `${path} has nothing that matches "${text.slice(0, 200)}"; it has ${shown.slice(0, MOST_SHOWN).join(", ")}${more}.`;
  return new GranaryError("not-found", message, { target: text.slice(0, 200), saysWhatToDo: true });
}

function usualModels(): string {
  return process.env.OLLAMA_MODELS || join(homedir(), ".ollama", "models");
}

/** A shell does not expand the tilde behind a colon. */
function fromHome(path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}
