/** Shows what one node gives another of a transfer, and to whom (G7). */
import { expect, test } from "vitest";
import { blobLease } from "../../../src/fleet/fleet.ts";
import { Peers } from "../../../src/fleet/peers/peers.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { fleetNodes } from "../../support/fleet-nodes.ts";
import { UPSTREAM } from "../../support/mirror-world.ts";

const MIB = 2 ** 20;

test("G7: a peer answers for the epoch that it holds, and for no other", async () => {
  const { blob, node, secret } = await fleetNodes({
    settings: { bandwidth: { registry: 4 * MIB, cdn: undefined } },
  });
  const a = await node("a");
  const it = blob(1, 24 * MIB);
  const reading = a.read(it);
  const key = { upstream: UPSTREAM, digest: it.digest };
  await expect.poll(() => a.transfers.held.length).toBe(1);
  const holder = await a.fleet.holder(blobLease(UPSTREAM, it.digest));
  expect(holder).toMatchObject({ node: "a", isMe: true });
  const peers = new Peers({ clock: systemClock, secret, tls: undefined });
  const ask = (epoch: number) =>
    peers.open(
      { node: "a", address: a.address },
      { kind: "filling", ...key, epoch },
      { start: 0, end: 1000 },
      "waited",
      AbortSignal.timeout(10_000),
    );
  const epoch = holder?.epoch ?? 0;
  expect(await ask(epoch - 1)).toBeUndefined();
  expect(await ask(epoch + 1)).toBeUndefined();
  const opened = await ask(epoch);
  expect(opened).toMatchObject({ range: { start: 0, end: 1000 }, size: 24 * MIB });
  expect((await opened?.body.bytes())?.length).toBe(1000);
  await reading;
  await expect.poll(() => a.transfers.held.length).toBe(0);
  expect(await ask(epoch)).toBeUndefined();
  await peers.close();
});
