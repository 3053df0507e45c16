/**
 * Owns a network for each node of a test, all joined by one bridge of this machine: so that two nodes can be cut off from each other while both reach
 * everything else. Needs root and `ip`. Nothing of it is left when it ends.
 */
import { execFileSync } from "node:child_process";
import type { NodePlace } from "./fleet-world.ts";

const PREFIX = "10.213.77";

export class NodeNetworks {
  /** Where the nodes find this machine. */
  readonly host = `${PREFIX}.1`;
  readonly places = new Map<string, NodePlace>();
  readonly #bridge = `gran${process.pid}`;
  /** By which the rules of this machine's own network are found again. */
  readonly #preference = String(1_000 + (process.pid % 30_000));

  /** To be ended by `end`. */
  static begin(names: readonly string[]): NodeNetworks {
    const networks = new NodeNetworks();
    try {
      networks.#make(names);
    } catch (error) {
      networks.end();
      throw error;
    }
    return networks;
  }

  /** What is sent from one to the other is lost from now on, both ways and without a word. */
  cut(one: string, other: string): void {
    this.#both(one, other, "add");
  }

  join(one: string, other: string): void {
    this.#both(one, other, "del");
  }

  /** What a service on `port` of this machine sends to the node is lost from now on: no answer, no acknowledgement, and no word of it. */
  cutService(name: string, port: number): void {
    ip("rule", "add", ...this.#answersTo(name, port));
  }

  joinService(name: string, port: number): void {
    ip("rule", "del", ...this.#answersTo(name, port));
  }

  end(): void {
    for (let rules = 0; rules < 100 && attempt("rule", "del", "pref", this.#preference); rules++);
    for (const [index, { command }] of [...this.places.values()].entries()) {
      // By itself it would go only with the last connection that was cut off.
      attempt("link", "del", `${this.#bridge}o${index}`);
      attempt("netns", "del", command.at(-1) ?? "");
    }
    attempt("link", "del", this.#bridge);
  }

  #make(names: readonly string[]): void {
    ip("link", "add", this.#bridge, "type", "bridge");
    ip("addr", "add", `${this.host}/24`, "dev", this.#bridge);
    ip("link", "set", this.#bridge, "up");
    for (const [index, name] of names.entries()) {
      const space = `${this.#bridge}-${name}`;
      const [outer, inner] = [`${this.#bridge}o${index}`, `${this.#bridge}i${index}`];
      const address = `${PREFIX}.${index + 11}`;
      ip("netns", "add", space);
      this.places.set(name, { address, command: ["ip", "netns", "exec", space] });
      ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", space);
      ip("link", "set", outer, "master", this.#bridge, "up");
      ip("-n", space, "addr", "add", `${address}/24`, "dev", inner);
      ip("-n", space, "link", "set", inner, "up");
      ip("-n", space, "link", "set", "lo", "up");
    }
  }

  #answersTo(name: string, port: number): readonly string[] {
    const address = this.places.get(name)?.address ?? "";
    const tcp = ["ipproto", "tcp", "sport", String(port)];
    return ["pref", this.#preference, "to", address, ...tcp, "blackhole"];
  }

  #both(one: string, other: string, change: "add" | "del"): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const [place, target] = [this.places.get(from), this.places.get(to)];
      ip("-n", place?.command.at(-1) ?? "", "route", change, "blackhole", `${target?.address}/32`);
    }
  }
}

/** Why there can be no such networks here; undefined where there can. */
export function whyNoNetworks(): string | undefined {
  try {
    NodeNetworks.begin(["probe"]).end();
    return undefined;
  } catch (error) {
    return `no networks of one's own: ${String(error).split("\n")[0]}`;
  }
}

function ip(...words: readonly string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
}

/** False where there is nothing to undo. */
function attempt(...words: readonly string[]): boolean {
  try {
    ip(...words);
    return true;
  } catch {
    return false;
  }
}
