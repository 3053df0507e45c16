/** Owns what the page knows of each client that can be pointed here: its name, what it calls itself when it pulls, and a pull to try. Pure. */

/**
 * @typedef {{
 *   readonly title: string,
 *   readonly agents: readonly string[],
 *   readonly tries: (image: string) => string,
 * }} ClientKind
 */

/** What containerd's own tools, Kubernetes and nerdctl are taken for (docs/protocol.md). */
const CONTAINERD = ["containerd", "nerdctl"];

/** @type {Readonly<Record<string, ClientKind>>} */
const KINDS = {
  docker: {
    title: "Docker",
    agents: ["docker"],
    tries: (image) => `docker pull ${image.replace(/^docker\.io\/(?:library\/)?/, "")}`,
  },
  containerd: {
    title: "containerd",
    agents: CONTAINERD,
    tries: (image) => `sudo ctr images pull --hosts-dir /etc/containerd/certs.d ${image}`,
  },
  podman: {
    title: "Podman",
    agents: ["podman", "podman or skopeo", "skopeo", "buildah", "cri-o"],
    tries: (image) => `podman pull ${image}`,
  },
  k3s: { title: "k3s", agents: CONTAINERD, tries: (image) => `sudo k3s crictl pull ${image}` },
  buildkit: {
    title: "BuildKit",
    agents: ["buildkit"],
    tries: (image) => `echo 'FROM ${image}' | docker buildx build --no-cache --output type=cacheonly -`,
  },
  kind: {
    title: "kind",
    agents: CONTAINERD,
    tries: (image) => `docker exec kind-control-plane crictl pull ${image}`,
  },
  ollama: { title: "Ollama", agents: ["ollama"], tries: () => "ollama pull --insecure all-minilm" },
};

/** @param {string} client @returns {ClientKind} */
export function clientKind(client) {
  return KINDS[client] ?? { title: client, agents: [client], tries: (image) => `${client} pull ${image}` };
}

/** Small, and everybody may pull it. */
const SMALL = "docker.io/library/hello-world:latest";

/**
 * A pull that shows whether it works, by an image of a registry that this Granary is for.
 * @param {string} client
 * @param {readonly string[]} upstreams
 */
export function tryCommand(client, upstreams) {
  const [other] = upstreams.filter((name) => name !== "registry.ollama.ai");
  const image = upstreams.includes("docker.io") || other === undefined ? SMALL : `${other}/NAME:TAG`;
  return clientKind(client).tries(image);
}

/** @typedef {{ readonly command?: string, readonly note?: string }} Step */

/**
 * What makes a client read its files, as the server says it, apart into commands that can be copied and words about them.
 * @param {string} text "sudo systemctl restart k3s (on agents: k3s-agent)", "nothing: Podman reads it at each start"
 * @returns {readonly Step[]}
 */
export function restartSteps(text) {
  if (text.startsWith("nothing")) return [{ note: `N${text.slice(1)}.` }];
  return text.split("; for ").map((part, index) => {
    const [, who, rest = part] = index === 0 ? [] : (/^(\w+): (.*)$/.exec(part) ?? []);
    const [, command = rest, words] = /^(.*?) \((.*)\)$/.exec(rest) ?? [];
    const note = who === undefined ? words : `For ${who}:`;
    return { command, ...(note !== undefined && { note }) };
  });
}
