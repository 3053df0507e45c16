/**
 * Owns the name under which Ollama's own store keeps a model, and the check that Ollama accepts each part of it (isValidPart in Ollama's
 * types/model/name.go), so that the path made of it never leaves the store. Pure.
 */
import { GranaryError } from "../errors.ts";
import { formatReference, type Reference } from "../oci/reference.ts";

export type StoredName = {
  readonly host: string;
  readonly namespace: string;
  readonly model: string;
  readonly tag: string;
};

/** The first character is a letter, a digit or `_`: no part can be "..", and none is hidden. */
const GRAMMAR: Record<keyof StoredName, RegExp> = {
  host: /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}$/,
  namespace: /^[A-Za-z0-9_][A-Za-z0-9_-]{0,79}$/,
  model: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/,
  tag: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/,
};

/** Throws `reference-invalid` if there is no tag, if the repository is not namespace/model, or if Ollama would not accept a part. */
export function storedNameOf(reference: Reference): StoredName {
  const [namespace = "", model = "", ...more] = reference.repository.split("/");
  const { registry: host, tag } = reference;
  if (tag === undefined) throw unfit(reference, "Ollama lists models by tag: write name:tag@digest");
  const name = { host, namespace, model, tag };
  const isPlain = Object.entries(GRAMMAR).every(([part, grammar]) =>
    grammar.test(name[part as keyof StoredName]),
  );
  if (!isPlain || more.length > 0) throw unfit(reference, "expected host/namespace/model:tag");
  return name;
}

function unfit(reference: Reference, reason: string): GranaryError {
  const target = formatReference(reference);
  return new GranaryError("reference-invalid", `"${target}" cannot be a name in Ollama's store: ${reason}.`, {
    target,
  });
}
