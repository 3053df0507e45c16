/**
 * Owns what one node shows of its fleet: what the database says of nodes, leases and the bucket, asked once for everybody who looks, and what this
 * node knows by itself. While the database is away it shows what was known before, and since when.
 */
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Fleet, Member } from "../fleet.ts";
import type {
  BucketUse,
  DatabaseState,
  FleetBrief,
  FleetSight,
  FleetView,
  ShownLease,
  ShownNode,
} from "./fleet-view.ts";
import { stateOf } from "./node-state.ts";
import { type Known, Remembered } from "./remembered.ts";
import { named, purposeOf } from "./shown-lease.ts";

type Repository = { readonly upstream: string; readonly repository: string };

export type SeenFleetParts = {
  readonly fleet: Pick<Fleet, "node" | "isAnswering" | "onAnswering" | "members" | "leases">;
  readonly clock: Clock;
  /** Throws `fleet-unavailable`. It may read all that the fleet knows of its bucket. */
  readonly bucketUse: () => Promise<BucketUse>;
  /** Bytes; undefined: there is no limit. */
  readonly bucketLimit: () => number | undefined;
  readonly unshared: () => number;
  /** A few that list the blob, as far as this node knows. */
  readonly repositories: (digest: Digest) => Promise<readonly Repository[]>;
};

const LOOK_MS = 1_000;
const BRIEF_MS = 250;
const NODES_EVERY_MS = 900;
/** It is a look at every row. */
const BUCKET_EVERY_MS = 15_000;
const MOST_LEASES = 1_000;

export class SeenFleet implements FleetView {
  readonly #parts: SeenFleetParts;
  readonly #members: Remembered<readonly Member[]>;
  readonly #leases: Remembered<readonly ShownLease[]>;
  readonly #bucket: Remembered<BucketUse>;
  #database: DatabaseState;

  /** It is there for as long as the fleet is. */
  constructor(parts: SeenFleetParts) {
    const { fleet, clock, bucketUse } = parts;
    this.#parts = parts;
    this.#members = new Remembered({ ask: () => fleet.members(), everyMs: NODES_EVERY_MS, clock });
    this.#leases = new Remembered({ ask: () => this.#askLeases(), everyMs: NODES_EVERY_MS, clock });
    this.#bucket = new Remembered({ ask: bucketUse, everyMs: BUCKET_EVERY_MS, clock });
    this.#database = { isAnswering: fleet.isAnswering, since: clock.now() };
    fleet.onAnswering((isAnswering) => {
      this.#database = { isAnswering, since: clock.now() };
    });
  }

  async look(): Promise<FleetSight> {
    const [nodes, leases, bucket] = await Promise.all([
      this.nodes(),
      this.#leases.look(LOOK_MS),
      this.#bucket.look(LOOK_MS),
    ]);
    return {
      ...nodes,
      leases: leases?.value ?? [],
      bucket: this.#use(bucket),
      database: this.#database,
      unshared: this.#parts.unshared(),
    };
  }

  async nodes(): Promise<Pick<FleetSight, "node" | "seenAt" | "nodes">> {
    const members = await this.#members.look(LOOK_MS);
    const nodes = (members?.value ?? []).map((member) => this.#shown(member));
    return { node: this.#parts.fleet.node, seenAt: members?.at, nodes };
  }

  async brief(): Promise<FleetBrief> {
    const members = (await this.#members.look(BRIEF_MS))?.value ?? [];
    const live = members.filter(({ isLive }) => isLive).length;
    return { node: this.#parts.fleet.node, nodes: members.length, live, database: this.#database };
  }

  async #askLeases(): Promise<readonly ShownLease[]> {
    const leases = await this.#parts.fleet.leases(MOST_LEASES);
    const shown: ShownLease[] = [];
    for (const { key, holder, heldMs } of leases) {
      const purpose = await named(purposeOf(key), (...of) => this.#nameOf(...of));
      shown.push({ ...purpose, node: holder.node, isMe: holder.isMe, heldMs });
    }
    return shown;
  }

  /** Names of what is private are for whoever may see this node's admin face, as in its list of contents. */
  async #nameOf(digest: Digest, upstream: string | undefined): Promise<Partial<Repository>> {
    const known = await this.#parts.repositories(digest);
    return known.find((each) => upstream === undefined || each.upstream === upstream) ?? {};
  }

  #shown({ told, ...member }: Member): ShownNode {
    return { ...member, isMe: member.node === this.#parts.fleet.node, state: stateOf(told) };
  }

  #use(known: Known<BucketUse> | undefined): FleetSight["bucket"] {
    return known && { ...known.value, limit: this.#parts.bucketLimit(), seenAt: known.at };
  }
}
