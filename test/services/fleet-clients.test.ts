/**
 * Shows that real clients, through a real load balancer with the repository's own configuration, get what they ask for from a fleet of three processes
 * while its nodes are killed and started again, and what that costs the upstream.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { ctr } from "../e2e/support/ctr-client.ts";
import { dockerd } from "../e2e/support/dockerd-client.ts";
import type { GranaryProcess } from "../e2e/support/granary-process.ts";
import { type HubFront, startHubFront } from "../e2e/support/hub-front.ts";
import type { ImageClient, ImageClientKind } from "../e2e/support/image-client.ts";
import { mostCrossed as mostCrossedOf } from "../e2e/support/lines.ts";
import {
  addModel,
  checkedPlace,
  type FakeModel,
  startOllamaUpstream,
} from "../e2e/support/ollama-upstream.ts";
import { podman } from "../e2e/support/podman-client.ts";
import { type RealUpstream, startRealUpstream, UPSTREAM_PROGRAMS } from "../e2e/support/real-upstream.ts";
import { describeWith } from "../e2e/support/required-programs.ts";
import { skopeo } from "../e2e/support/skopeo-client.ts";
import type { StoredImage } from "../e2e/support/upstream-content.ts";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { pullModel } from "../support/ollama-client.ts";
import { FleetWorld } from "../support/services/fleet-world.ts";
import { BALANCER, LoadBalancer } from "../support/services/load-balancer.ts";
import { type ReaderReport, readCrowd } from "../support/services/read-crowd.ts";
import { putBehind } from "../support/slow-line/publish.ts";

const MIB = 2 ** 20;
const HUB = "docker.io";
const OLLAMA = "registry.ollama.ai";
const KINDS: readonly ImageClientKind[] = [dockerd, ctr, podman, skopeo];
/** With the four engines and one Ollama: forty. */
const READERS = 35;
const MODEL = { seed: 7, size: 192 * MIB };
/** What a node that dies may have had under way of one blob: lanes and uploaders, a part each. */
const LOST_AT_KILL = (6 + 4) * 8 * MIB;
/** No balancer can mend what breaks in the middle, and these do not ask for the rest (docs/fleet.md#the-load-balancer). */
const NEED_ANOTHER_TRY: readonly string[] = [podman.name, skopeo.name];
/**
 * On a quiet machine the bytes cross once, to the thousandth. Where all of this and other tests share two cores, lanes that stand in the way lose
 * what is under way; a second transfer of a blob would be twice its size.
 */
const LATE = 1.25;
const SECOND_TRANSFER = 1.75;
/** A survivor's reader: the lifetime of a lease and five seconds (G12), and as long again on a machine that does all of this at once. */
const LONGEST_GAP_MS = 18_000;

const PROGRAMS = [
  ...KINDS.flatMap(({ programs }) => programs),
  ...UPSTREAM_PROGRAMS,
  BALANCER.program,
  "weed",
];

describeWith(PROGRAMS, "real clients of a fleet behind a load balancer", () => {
  let cleanup: AsyncDisposableStack;
  let world: FleetWorld;
  let upstream: RealUpstream;
  let hub: HubFront;
  let ollama: FakeRegistry;
  let model: FakeModel;
  let nodes: readonly GranaryProcess[];
  let balancer: LoadBalancer;

  beforeEach(async () => {
    cleanup = new AsyncDisposableStack();
    upstream = await startRealUpstream(cleanup);
    hub = await startHubFront(cleanup, upstream);
    ollama = await startOllamaUpstream(cleanup);
    model = addModel(ollama, "library/llama3.2", MODEL);
    world = await FleetWorld.begin({ rate: 16 * MIB });
    cleanup.defer(() => world.end());
    await putBehind(world.line, hub);
    await putBehind(world.line, ollama);
    const upstreams = {
      [HUB]: { endpoints: [hub.url], internal: true, realms: ["127.0.0.2"] },
      [OLLAMA]: { endpoints: [ollama.url], internal: true },
    };
    nodes = await Promise.all(["a", "b", "c"].map((name) => world.node(name, { granary: { upstreams } })));
    balancer = await LoadBalancer.begin(cleanup, nodes);
  });
  afterEach(() => cleanup.disposeAsync());

  test("G3, G10: forty clients of four engines and Ollama cost the upstream each byte and each tag once", async () => {
    const readers = await pullAll("once");
    expect(readers.filter(({ returns }) => returns > 0)).toEqual([]);
    expect(Math.max(...readers.map(({ firstByteMs }) => firstByteMs))).toBeLessThan(10_000);
    expect(world.line.account.carried, story()).toBeLessThanOrEqual(LATE * mostCrossed());
    for (const { size, bytes } of blobsSent()) expect(bytes, story()).toBeLessThan(SECOND_TRANSFER * size);
    for (const account of [hub.account, ollama]) {
      const asked = account.matching({ kind: "manifest", status: 200 });
      expect(asked.filter(({ reference }) => reference === "latest")).toHaveLength(1);
      // Where that was a HEAD, one node has fetched the bytes of its digest.
      expect(asked.length).toBeLessThanOrEqual(2);
    }
  });

  test("G4, G12: nodes that are killed in the middle and started again cost a few parts, and no client its bytes", async () => {
    const [readers, lost] = await Promise.all([pullAll("again"), killInTurn()]);
    const { carried } = world.line.account;
    expect(lost).toBeGreaterThan(0);
    expect(carried, story()).toBeLessThanOrEqual(LATE * mostCrossed() + lost * LOST_AT_KILL);
    expect(Math.max(...readers.map(({ longestGapMs }) => longestGapMs))).toBeLessThan(LONGEST_GAP_MS);
  });

  /** Everything that the clients pull once, with the headers of what was asked. */
  function mostCrossed(): number {
    const { layers, config } = upstream.content.big;
    const bytes = [...layers, config, ...model.blobs.values()].reduce((sum, { size }) => sum + size, 0);
    return mostCrossedOf(bytes, hub.account.requests.length + ollama.requests.length);
  }

  /** Each blob that the clients pull, and what its upstream has sent of it. */
  function blobsSent(): readonly { digest: string; size: number; bytes: number }[] {
    const { layers, config } = upstream.content.big;
    return [
      ...[...layers, config].map(({ digest, size }) => ({
        digest,
        size,
        bytes: hub.account.bytesSentFor(digest),
      })),
      ...[...model.blobs].map(([digest, { size }]) => ({ digest, size, bytes: ollama.bytesSentFor(digest) })),
    ];
  }

  /** What was sent of each blob, and what the nodes complain of. */
  function story(): string {
    const sent = blobsSent().map(({ digest, size, bytes }) => `${digest} ${size} ${bytes}`);
    const complaints = [...world.nodes].flatMap(([name, { log }]) =>
      log.split("\n").flatMap((line) => (/"level":"(?:warn|error)"/.test(line) ? [`${name}: ${line}`] : [])),
    );
    return [...sent, ...complaints].join("\n");
  }

  /** All forty, cold; `how` says whether a client may be started again where its node was killed, as its user would. */
  async function pullAll(how: "once" | "again") {
    const { big } = upstream.content;
    const port = balancer.port(HUB);
    const engines = await Promise.all(KINDS.map((kind) => kind.start(cleanup, port)));
    const pull = async (client: ImageClient, { name }: ImageClientKind) => {
      const pulled = await persistently(name, how, () => client.pull(big));
      expect(pulled, name).toEqual({ manifest: big.manifest.digest, config: big.config.digest });
    };
    const ollamaPull = () =>
      pullModel({
        name: `${new URL(balancer.url(OLLAMA)).host}/${model.repository}:${model.tag}`,
        placeFor: (layer) => checkedPlace(model, layer),
      });
    const [readers] = await Promise.all([
      readersOf(big),
      persistently("ollama", how, ollamaPull),
      ...engines.map((client, index) => pull(client, KINDS[index] ?? dockerd)),
    ]);
    return readers;
  }

  /** The result of `pull`; it is tried again as often as a node is killed. Only some clients may need that. */
  async function persistently<T>(name: string, how: "once" | "again", pull: () => Promise<T>): Promise<T> {
    let triesLeft = how === "again" && NEED_ANOTHER_TRY.includes(name) ? nodes.length : 0;
    for (;;) {
      try {
        return await pull();
      } catch (error) {
        if (triesLeft === 0) throw error;
        triesLeft -= 1;
      }
    }
  }

  /** Of the largest layer. */
  async function readersOf({ repository, layers }: StoredImage): Promise<readonly ReaderReport[]> {
    const { digest, size } = [...layers].sort((one, other) => other.size - one.size)[0] ?? {
      digest: "",
      size: 0,
    };
    const urls = [`${balancer.url(HUB)}/v2/${repository}/blobs/${digest}`];
    return await readCrowd({ urls, digest, size, readers: READERS, isChecked: true, mostMs: 120_000 });
  }

  /** Each node once, spread over the transfer, and gone until its leases are free for others. How many blobs that was in all. */
  async function killInTurn(): Promise<number> {
    let lost = 0;
    for (const [index, [name, node]] of [...world.nodes].entries()) {
      const { account } = world.line;
      await expect.poll(() => account.carried, { interval: 20 }).toBeGreaterThan((30 + index * 70) * MIB);
      const held = await world.sql(`select key from leases where node = '${name}' and key like 'blob%'`);
      lost += held.length;
      await node.kill();
      const alive = `select node from nodes where node = '${name}' and expires_at > now()`;
      await expect.poll(() => world.sql(alive)).toEqual([]);
      await node.start();
    }
    return lost;
  }
});
