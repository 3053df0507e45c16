/** Shows what the kernel does with a file and a connection: exact bytes, nothing while a client reads nothing, and never to another's connection. */
import { open } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadSendFile } from "../../src/files/send-file.ts";
import { eventually } from "../support/patience.ts";
import { patternBytes } from "../support/pattern.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { openSocket } from "../support/wire.ts";

const MIB = 2 ** 20;
const content = patternBytes(3, 0, 16 * MIB);

test("a span of a file arrives as it is, from its offset on and no further than asked", async () => {
  const { sendFile, file, descriptor, chunks } = await connected();
  expect(await sendFile.send(descriptor, file.fd, 12_345, 70_001)).toBe(70_001);
  await eventually(() => expect(Buffer.concat(chunks)).toEqual(content.subarray(12_345, 82_346)));
});

test("a client that reads nothing gets what its connection takes, then 0 at once, and goes on later", async () => {
  const { sendFile, file, descriptor, client, chunks } = await connected();
  client.pause();
  let sent = 0;
  for (let count = 1; count > 0; sent += count)
    count = await sendFile.send(descriptor, file.fd, sent, content.length - sent);
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThan(content.length);
  client.resume();
  await eventually(() => expect(Buffer.concat(chunks)).toHaveLength(sent));
  expect(await sendFile.send(descriptor, file.fd, sent, 1_000)).toBe(1_000);
  await eventually(() =>
    expect(Buffer.compare(Buffer.concat(chunks), content.subarray(0, sent + 1_000))).toBe(0),
  );
});

test("what the kernel refuses is 0: a file that is none, an end that is passed, a client that is gone", async () => {
  const { sendFile, file, descriptor, client } = await connected();
  expect(await sendFile.send(descriptor, 1_000_000, 0, 10)).toBe(0);
  expect(await sendFile.send(descriptor, file.fd, content.length, 10)).toBe(0);
  client.resetAndDestroy();
  await eventually(async () => expect(await sendFile.send(descriptor, file.fd, 0, MIB)).toBe(0));
});

test("a number that was duplicated stays this connection's when Node has closed its own", async () => {
  const { sendFile, file, descriptor, server, client, chunks } = await connected();
  const copy = sendFile.duplicate(descriptor) ?? 0;
  expect(copy).toBeGreaterThan(0);
  expect(copy).not.toBe(descriptor);
  server.destroy();
  await new Promise((resolve) => server.once("close", resolve));
  expect(await sendFile.send(copy, file.fd, 0, 5_000)).toBe(5_000);
  const ended = new Promise((resolve) => client.once("end", resolve));
  sendFile.release(copy);
  await ended;
  expect(Buffer.concat(chunks)).toEqual(content.subarray(0, 5_000));
  expect(sendFile.duplicate(1_000_000)).toBeUndefined();
});

async function connected() {
  const sendFile = await loadSendFile();
  if ("lacking" in sendFile) throw new Error(sendFile.lacking);
  const file = await open(join(await tempDirectory(), "content"), "wx+");
  onTestFinished(() => file.close());
  await file.writeFile(content);
  const listening = createServer();
  onTestFinished(() => void listening.close());
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const accepted = new Promise<Socket>((resolve) => listening.once("connection", resolve));
  const address = listening.address();
  const client = await openSocket(typeof address === "object" ? (address?.port ?? 0) : 0);
  const server = await accepted;
  onTestFinished(() => void [client.destroy(), server.destroy()]);
  for (const socket of [client, server]) socket.on("error", () => undefined);
  const chunks: Buffer[] = [];
  client.on("data", (chunk: Buffer) => chunks.push(chunk));
  const { fd: descriptor } = (server as unknown as { _handle: { fd: number } })._handle;
  return { sendFile, file, descriptor, server, client, chunks };
}
