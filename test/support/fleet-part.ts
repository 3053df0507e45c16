/** Owns what tests give a Mirror in place of a fleet: one whose other nodes do nothing, but for what the test says. */
import type { FleetPart } from "../../src/mirror/mirror-parts.ts";

export function fleetPart(own: Partial<FleetPart> = {}): FleetPart {
  return {
    follower: { begun: () => undefined, grown: () => undefined, ended: () => undefined },
    origin: (_, own) => own,
    turns: { one: ({ ask }) => ask() },
    tellAskAnew: async () => undefined,
    serve: () => undefined,
    unneeded: [],
    ...own,
  };
}
