/** Owns the names of the lab that the pictures show: what its machines are, and which images and models they pull. Plain data. */

const HUB = "docker.io";
const OLLAMA = "registry.ollama.ai";

export type LabImage = {
  readonly upstream: string;
  readonly repository: string;
  readonly tag: string;
  /** What a client fetches of it. */
  readonly megabytes: number;
  /** How often it is pulled, beside the others. */
  readonly weight: number;
  readonly isModel?: true;
};

/** The largest first, as people see them. */
export const IMAGES: readonly [LabImage, ...LabImage[]] = [
  { upstream: OLLAMA, repository: "library/qwen3", tag: "8b", megabytes: 5_200, weight: 0.5, isModel: true },
  {
    upstream: OLLAMA,
    repository: "library/llama3.2",
    tag: "3b",
    megabytes: 2_000,
    weight: 0.9,
    isModel: true,
  },
  { upstream: HUB, repository: "library/python", tag: "3.14", megabytes: 380, weight: 4 },
  { upstream: HUB, repository: "library/node", tag: "24", megabytes: 400, weight: 5 },
  { upstream: HUB, repository: "library/postgres", tag: "18", megabytes: 160, weight: 3 },
  { upstream: HUB, repository: "grafana/grafana", tag: "12.3.0", megabytes: 190, weight: 1 },
  { upstream: HUB, repository: "library/redis", tag: "8", megabytes: 52, weight: 3 },
  { upstream: HUB, repository: "library/alpine", tag: "3.22", megabytes: 4, weight: 9 },
  {
    upstream: "ghcr.io",
    repository: "home-assistant/home-assistant",
    tag: "2026.11",
    megabytes: 620,
    weight: 0.5,
  },
  { upstream: "ghcr.io", repository: "immich-app/immich-server", tag: "v2.3.1", megabytes: 540, weight: 0.4 },
  { upstream: "quay.io", repository: "prometheus/prometheus", tag: "v3.8.0", megabytes: 125, weight: 0.8 },
];

export type LabMachine = {
  /** The last part of its address. */
  readonly place: number;
  readonly agent: string;
  /** As Granary calls such a client. */
  readonly kind: string;
  /** Of all traffic. */
  readonly share: number;
};

export const MACHINES: readonly LabMachine[] = [
  { place: 21, agent: "docker/29.1.2 go/go1.25.4 os/linux arch/amd64", kind: "docker", share: 0.31 },
  { place: 22, agent: "containerd/v2.2.0", kind: "containerd", share: 0.19 },
  {
    place: 23,
    agent: "containers/5.37.0 (github.com/containers/image)",
    kind: "podman or skopeo",
    share: 0.08,
  },
  { place: 35, agent: "docker/29.1.2 go/go1.25.4 os/linux arch/arm64", kind: "docker", share: 0.12 },
  { place: 36, agent: "buildkit/v0.26", kind: "buildkit", share: 0.1 },
  { place: 40, agent: "ollama/0.13.1 (amd64 linux) Go/go1.25.4", kind: "ollama", share: 0.14 },
  { place: 41, agent: "ollama/0.13.1 (arm64 darwin) Go/go1.25.4", kind: "ollama", share: 0.06 },
];

/** Those that run models, by their places in the list. */
export const MODEL_MACHINES = [5, 6] as const;
