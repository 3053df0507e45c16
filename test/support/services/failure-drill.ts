/** Owns what every test of a failing fleet does and expects: clients at each node, the moment at which something fails, and what must hold after it. */
import { expect } from "vitest";
import type { GranaryProcess } from "../../e2e/support/granary-process.ts";
import { LONGEST_GAP_MS, mostSent } from "./fleet-bounds.ts";
import type { ClientReport, FleetBlob } from "./fleet-client.ts";
import { type FleetWorld, LANES } from "./fleet-world.ts";

/** By the node at which they began. */
export type Reading = Map<string, Promise<ClientReport[]>>;

export class FailureDrill {
  readonly #world: FleetWorld;

  constructor(world: FleetWorld) {
    this.#world = world;
  }

  node(name: string): GranaryProcess {
    const node = this.#world.nodes.get(name);
    if (node === undefined) throw new Error(`${name} is no node`);
    return node;
  }

  /** Ten clients at each node, each of which comes back at the others. */
  readEverywhere(blob: FleetBlob): Reading {
    return new Map([...this.#world.nodes].map(([name, node]) => [name, this.#world.clients(blob, node)]));
  }

  /** When upstream has sent so much of it, by default a half: the node that brings it. */
  async inTheMiddle(blob: FleetBlob, bytes = blob.size / 2): Promise<[string, GranaryProcess]> {
    await this.#world.sent(blob, bytes);
    const name = await this.#world.filler(blob);
    return [name, this.node(name)];
  }

  /** All bytes came to all; who is not at `lost` waited no longer than `mostMs`: what G12 allows, unless said. */
  async expectRight(reading: Reading, lost?: string, mostMs = LONGEST_GAP_MS): Promise<void> {
    for (const [name, reports] of reading) {
      for (const { returns, longestGapMs } of await reports) {
        if (name === lost) continue;
        expect(returns, `a client at ${name} had to come back`).toBe(0);
        expect(longestGapMs, `a client at ${name} waited`).toBeLessThan(mostMs);
      }
    }
  }

  /** G3 and G4. `killed`: nodes that could not say any more that they let go; `besides`: bytes of other blobs that crossed the line. */
  expectSpent({ size }: FleetBlob, { killed = 0, besides = 0 } = {}): void {
    const { crossed, losses } = this.#world;
    expect(crossed).toBeLessThanOrEqual(besides + mostSent(size, LANES, losses + killed));
  }

  /** G5, G6: there is one object of it, its bytes are right, and nothing is held any more. */
  async expectStored(blob: FleetBlob): Promise<void> {
    const stored = () => this.#world.stored(blob).catch(() => undefined);
    await expect
      .poll(async () => {
        const found = await stored();
        return { digest: found?.digest, objects: found?.keys.length };
      })
      .toEqual({ digest: blob.digest, objects: 1 });
    await expect.poll(() => this.#world.sql("select key from leases where key like 'blob%'")).toEqual([]);
  }
}
