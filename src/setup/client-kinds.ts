/** Owns the names of the clients that can be pointed at Granary, in the order in which people are shown them. */

export const CLIENT_KINDS = ["docker", "containerd", "podman", "k3s", "buildkit", "kind", "ollama"] as const;

/** Those that the doctor knows; kind's clusters are made from its file, and have none of their own. */
export const CHECKED_KINDS = CLIENT_KINDS.filter((kind) => kind !== "kind");

export type CheckedKind = (typeof CHECKED_KINDS)[number];

export type ClientKind = (typeof CLIENT_KINDS)[number];
