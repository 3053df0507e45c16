/**
 * Owns which kind of client a User-Agent stands for. The kinds are a closed list, because clients can send any text. Pure.
 */
import { LRUCache } from "lru-cache";
import { mostEntries } from "../waiting/expiry.ts";

/** What the text contains, lower case, and the kind it means; the first one counts. */
const KINDS: readonly (readonly [string, string])[] = [
  ["ollama", "ollama"],
  ["docker/", "docker"],
  ["docker-client/", "docker"],
  ["buildkit", "buildkit"],
  ["nerdctl", "nerdctl"],
  ["containerd", "containerd"],
  ["podman", "podman"],
  ["libpod", "podman"],
  ["skopeo", "skopeo"],
  ["buildah", "buildah"],
  ["cri-o", "cri-o"],
  ["github.com/containers/image", "podman or skopeo"],
  ["containers/", "podman or skopeo"],
  ["kaniko", "kaniko"],
  ["go-containerregistry", "crane"],
  ["crane/", "crane"],
  ["oras", "oras"],
  ["regclient", "regclient"],
  ["helm/", "helm"],
  ["trivy", "trivy"],
  ["cosign", "cosign"],
  ["renovate", "renovate"],
  ["watchtower", "watchtower"],
  ["llama.cpp", "llama.cpp"],
  ["ramalama", "ramalama"],
  ["granary/", "granary"],
  ["curl/", "curl"],
  ["wget/", "wget"],
];

/** Go's own name, which says nothing of the program (docs/protocol.md#ollama-parts: Ollama sends it with the parts of a blob). */
const GO = "go-http-client/";
const MOST_TEXT = 300;

export type Agent = {
  /** One of a closed list; "other" for all else. */
  readonly kind: string;
  /** The text in its bounds, to tell two clients behind one address apart. It is kept in memory only. */
  readonly text: string;
  /** True where the text says nothing of who sent it. */
  readonly isVague: boolean;
};

/** Of texts that came a moment ago: clients send the same one with each request. */
const recent = new LRUCache<string, Agent>(mostEntries(500));
const UNNAMED = readAgent("");

export function agentOf(userAgent: string | undefined): Agent {
  if (userAgent === undefined) return UNNAMED;
  const known = recent.get(userAgent);
  if (known !== undefined) return known;
  const agent = readAgent(userAgent);
  if (userAgent.length <= MOST_TEXT) recent.set(userAgent, agent);
  return agent;
}

function readAgent(userAgent: string): Agent {
  const text = userAgent.slice(0, MOST_TEXT);
  const lower = text.toLowerCase();
  const kind = KINDS.find(([part]) => lower.includes(part))?.[1] ?? "other";
  return { kind, text, isVague: text === "" || lower.startsWith(GO) };
}

/** False where two requests surely come from two programs or machines. */
export function mayBeSame(one: Agent, other: Agent): boolean {
  return one === other || one.isVague || other.isVague || one.text === other.text;
}
