/** Owns the grammar of model names as Ollama has it: host/namespace/model:tag, with defaults, and no path prefix. */

export type ModelName = {
  readonly host: string;
  readonly namespace: string;
  readonly model: string;
  readonly tag: string;
};

export function parseModelName(text: string): ModelName {
  const slash = text.lastIndexOf("/");
  const colon = text.indexOf(":", slash);
  const tag = colon === -1 ? "latest" : text.slice(colon + 1);
  const parts = (colon === -1 ? text : text.slice(0, colon)).split("/");
  const [model, namespace = "library", host = "registry.ollama.ai"] = parts.reverse();
  if (parts.length > 3 || model === undefined || model === "") throw new Error(`not a model name: ${text}`);
  return { host, namespace, model, tag };
}

/** `/v2/...` of one of the model's things. */
export function pathOf(
  { namespace, model }: ModelName,
  kind: "manifests" | "blobs",
  reference: string,
): string {
  return `/v2/${namespace}/${model}/${kind}/${reference}`;
}
