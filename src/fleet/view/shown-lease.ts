/** Owns how a lease is shown: what its key says that it is for. Keys come from other nodes, perhaps of another version. Pure. */
import { type Digest, isDigest } from "../../oci/digest.ts";
import type { ShownLease } from "./fleet-view.ts";

type Purpose = Omit<ShownLease, "node" | "isMe" | "heldMs">;

/** People read no more of a key that means nothing to this version. */
const MOST_SHOWN = 200;

export function purposeOf(key: string): Purpose {
  const [kind, upstream = "", name = "", tag = ""] = key.split("\n");
  if ((kind === "janitor" || kind === "schedule") && key === kind) return { kind };
  if (kind === "blob" && isDigest(name))
    return upstream === "" ? { kind: "share", digest: name } : { kind: "fill", upstream, digest: name };
  if (kind === "tag" && tag !== "") return { kind, upstream, repository: name, tag };
  return { kind: "other", key: key.replaceAll("\n", " ").slice(0, MOST_SHOWN) };
}

/** With the name of a repository that lists its blob, where `nameOf` knows one. Rejects as that does. */
export async function named(
  purpose: Purpose,
  nameOf: (digest: Digest, upstream: string | undefined) => Promise<Pick<Purpose, "upstream" | "repository">>,
): Promise<Purpose> {
  if (purpose.digest === undefined) return purpose;
  return { ...purpose, ...(await nameOf(purpose.digest, purpose.upstream)) };
}
