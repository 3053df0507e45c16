/** Owns asking a Granary itself why it does not give out an image: Docker shows its users what Docker Hub said, and not what the mirror did. */
import { joinWords, readErrorWords } from "../oci/error-body.ts";
import type { Reference } from "../oci/reference.ts";
import { answerOf, type ProbeOptions } from "./probe-listener.ts";

/** A clause with its full stop; undefined where `origin` gives the image out, or cannot be asked. */
export async function refusalOf(
  origin: string,
  { registry, repository, tag, digest }: Reference,
  options: ProbeOptions,
): Promise<string | undefined> {
  // With the registry in the path, as Podman asks: what the listener stands for does not matter then.
  const path = `/v2/${registry}/${repository}/manifests/${digest ?? tag ?? "latest"}`;
  try {
    const { status, text } = await answerOf(new URL(path, origin), options);
    if (status < 400) return undefined;
    const words = joinWords(readErrorWords(Buffer.from(text), undefined));
    return `${words ?? `it answers with ${status}`}.`;
  } catch {
    return undefined;
  }
}
