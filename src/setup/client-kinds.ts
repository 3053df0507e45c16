/** Owns the names of the clients that can be pointed at Granary, in the order in which people are shown them. */

export const CLIENT_KINDS = ["docker", "containerd", "podman", "k3s", "buildkit", "kind", "ollama"] as const;

export type ClientKind = (typeof CLIENT_KINDS)[number];
