/**
 * Owns the file names of a model's parts in a folder: by role, numbered where there are several, in the manifest's order. A
 * name that a stranger gave is used where it is safe, and no two parts share one. Pure.
 */
import { unsafetyOf } from "../../files/safe-relative-path.ts";
import type { ModelLayer } from "../../ollama/model-view.ts";
import { partialOf } from "../fetching/file-at-path.ts";

export const MANIFEST_FILE = "manifest.json";
export const CONFIG_FILE = "config.json";

const EXTENSIONS: ReadonlyMap<string, string> = new Map([
  ["model", ".gguf"],
  ["projector", ".gguf"],
  ["adapter", ".gguf"],
  ["draft", ".gguf"],
  ["params", ".json"],
  ["messages", ".json"],
  ["json", ".json"],
  ["tensor", ".safetensors"],
]);

/** One relative path for each layer, `/` between its segments. */
export function layerPaths(layers: readonly ModelLayer[]): string[] {
  const taken = new Taken([MANIFEST_FILE, CONFIG_FILE]);
  const parts = layers.filter(({ role }) => role === "model").length;
  let part = 0;
  return layers.map((layer) => {
    if (layer.role === "model") part += 1;
    return taken.claim(nameOf(layer, part, parts));
  });
}

/** The form that llama.cpp knows for the parts of a split GGUF: it loads them all when given the first. */
function nameOf({ role, name }: ModelLayer, part: number, parts: number): string {
  if (role === "model" && parts > 1) return `model-${fiveDigits(part)}-of-${fiveDigits(parts)}.gguf`;
  if (name !== undefined && unsafetyOf(name) === undefined) return name;
  return `${role.slice(0, 100)}${EXTENSIONS.get(role) ?? ""}`;
}

function fiveDigits(count: number): string {
  return String(count).padStart(5, "0");
}

/** Names in use, also as directories. Case does not tell them apart: some file systems do not either. */
class Taken {
  readonly #files = new Set<string>();
  readonly #directories = new Set<string>();
  /** How often each name was asked for: thousands of tensors may have none of their own. */
  readonly #counts = new Map<string, number>();

  constructor(names: readonly string[]) {
    for (const name of names) this.#add(name);
  }

  /** `name`, or the first of `name-2`, `name-3`, ... that is free. One that lies below a file loses its directories. */
  claim(wanted: string): string {
    const isBelowFile = parentsOf(wanted.toLowerCase()).some((parent) => this.#files.has(parent));
    const name = isBelowFile ? wanted.replaceAll("/", "-") : wanted;
    for (let count = (this.#counts.get(name) ?? 0) + 1; ; count++) {
      const candidate = count === 1 ? name : numbered(name, count);
      if (!this.#isFree(candidate)) continue;
      this.#counts.set(name, count);
      this.#add(candidate);
      return candidate;
    }
  }

  #isFree(name: string): boolean {
    return filesOf(name).every((file) => !this.#files.has(file) && !this.#directories.has(file));
  }

  #add(name: string): void {
    for (const file of filesOf(name)) this.#files.add(file);
    for (const parent of parentsOf(name.toLowerCase())) this.#directories.add(parent);
  }
}

/** The file itself, and those beside it while it is being fetched. */
function filesOf(name: string): string[] {
  const { data, map } = partialOf(name);
  return [name, data, map].map((file) => file.toLowerCase());
}

/** "a/b/c" -> "a", "a/b". */
function parentsOf(path: string): string[] {
  const segments = path.split("/").slice(0, -1);
  return segments.map((_, index) => segments.slice(0, index + 1).join("/"));
}

/** "license" -> "license-2", "a/params.json" -> "a/params-2.json". */
function numbered(name: string, count: number): string {
  const dot = name.lastIndexOf(".");
  return dot <= name.lastIndexOf("/") + 1
    ? `${name}-${count}`
    : `${name.slice(0, dot)}-${count}${name.slice(dot)}`;
}
