/**
 * Owns how warm-ups ask the Mirror: as whom, and with which purpose. What anybody may see is asked for as a stranger, so that strangers are
 * served it later while nobody can be asked; what only our login may read, as the owner.
 */
import { isGranaryError } from "../errors.ts";
import type { Asker, Mirror } from "../mirror/mirror.ts";
import { MANIFEST_UNION } from "../oci/media-types.ts";

/** The part of a Mirror that brings things in. */
export type WarmMirror = Pick<Mirror, "manifest" | "headManifest" | "blob" | "tags" | "status">;

const STRANGER = { loggedIn: false, userAgent: undefined, purpose: "warm" } as const;
const OWNER = { ...STRANGER, loggedIn: true } as const;

export type WarmAsker = Asker & { readonly accept: readonly string[] };

/** What `ask` gives to a stranger, else to the owner, and as whom it was asked. */
export async function asStrangerFirst<T>(
  ask: (asker: WarmAsker) => Promise<T>,
): Promise<{ readonly answer: T; readonly asker: WarmAsker }> {
  const stranger = { ...STRANGER, accept: MANIFEST_UNION };
  try {
    return { answer: await ask(stranger), asker: stranger };
  } catch (error) {
    if (!isGranaryError(error, "not-found", "denied", "unauthorized")) throw error;
    const owner = { ...OWNER, accept: MANIFEST_UNION };
    return { answer: await ask(owner), asker: owner };
  }
}
