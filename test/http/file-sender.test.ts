/** Shows what a sender asks the kernel for, and in which order: packets are whole while bytes are moved, and nothing of them waits afterwards. */
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { FileSender } from "../../src/http/answers/file-sender.ts";

const TURN = 1_000;

test("packets are held until they are whole while bytes are moved, and not beyond that", async () => {
  const { sender, calls } = senderThatTakes(TURN, TURN, 10);
  for (let moved = 1; moved > 0; ) moved = await sender.move(7, 0, 5_000);
  sender.push();
  sender.push();
  expect(calls).toEqual(["cork", `send ${TURN}`, `send ${TURN}`, `send ${TURN}`, "uncork"]);
});

test("a connection that took less than it was sent is asked again only after something else was written", async () => {
  const { sender, calls } = senderThatTakes(400, 300);
  expect(await sender.move(7, 0, 5_000)).toBe(400);
  expect(await sender.move(7, 400, 5_000)).toBe(0);
  sender.push();
  expect(await sender.move(7, 500, 5_000)).toBe(300);
  expect(calls).toEqual(["cork", `send ${TURN}`, "uncork", "cork", `send ${TURN}`]);
});

test("the end of what is there is no full connection: what comes next is sent at once", async () => {
  const { sender, calls } = senderThatTakes(200, 200);
  expect(await sender.move(7, 0, 200)).toBe(200);
  expect(await sender.move(7, 200, 200)).toBe(200);
  expect(calls).toEqual(["cork", "send 200", "send 200"]);
});

/** A sender over a kernel that takes so many bytes, one number for each time that it is asked. */
function senderThatTakes(...counts: number[]) {
  const calls: string[] = [];
  const kernel = {
    turnBytes: TURN,
    duplicate: () => 9,
    release: () => undefined,
    cork: (_: number, isOn: boolean) => void calls.push(isOn ? "cork" : "uncork"),
    send: async (_connection: number, _file: number, _offset: number, most: number) => {
      calls.push(`send ${most}`);
      return counts.shift() ?? 0;
    },
  };
  const socket = { _handle: { fd: 8 }, writableLength: 0, timeout: 0, setTimeout: () => undefined };
  const outgoing = { socket, destroyed: false } as unknown as ServerResponse;
  const sender = FileSender.open(outgoing, kernel, () => undefined);
  if (sender === undefined) throw new Error("There is no sender.");
  return { sender, calls };
}
