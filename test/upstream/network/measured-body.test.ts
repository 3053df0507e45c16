/** Owns the tests of the measured body on plain streams: what no server can time exactly. */
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import { MeasuredBody } from "../../../src/upstream/network/measured-body.ts";

function start(length: number) {
  const stream = new PassThrough({ highWaterMark: 64 * 1024 });
  const counted: number[] = [];
  const body = new MeasuredBody({
    stream,
    length,
    doing: "GET http://host/blob",
    toError: (error) => new GranaryError("upstream-unavailable", String(error)),
    count: (bytes) => counted.push(bytes),
  });
  return { stream, body, counted };
}

describe("a measured body", () => {
  it("hands on the buffers themselves, and ends with DONE", async () => {
    const { stream, body } = start(6);
    const chunk = Buffer.from("granary").subarray(0, 6);
    stream.end(chunk);
    const { value } = await body.next();
    expect(value?.buffer).toBe(chunk.buffer);
    expect(await body.next()).toEqual({ done: true, value: undefined });
  });

  it("gives the bytes that came before it gives the error (F6)", async () => {
    const { stream, body } = start(100);
    stream.write(Buffer.from("first"));
    await new Promise((resolve) => setImmediate(resolve));
    stream.destroy(new Error("cut"));
    await new Promise((resolve) => setImmediate(resolve));
    expect((await body.next()).value).toHaveLength(5);
    await expect(body.next()).rejects.toMatchObject({ code: "upstream-unavailable", message: "Error: cut" });
    await expect(body.next()).rejects.toMatchObject({ code: "upstream-unavailable" });
  });

  it("says how many bytes came when it ends short without an error", async () => {
    const { stream, body } = start(100);
    stream.end(Buffer.from("first"));
    await body.next();
    await expect(body.next()).rejects.toMatchObject({
      message: "GET http://host/blob ended after 5 of 100 bytes.",
      facts: { expected: 100, found: 5 },
    });
  });

  it("stops taking bytes in while nobody reads (F7)", async () => {
    const { stream, body } = start(2 ** 30);
    const chunk = Buffer.alloc(64 * 1024);
    let written = 0;
    while (written < 64 * 2 ** 20) {
      const hasRoom = stream.write(chunk);
      written += chunk.length;
      if (!hasRoom && !(await drained(stream))) break;
    }
    expect(written).toBeLessThan(2 * 2 ** 20);
    body.dismiss();
    expect(stream.destroyed).toBe(true);
  });

  it("of nothing is done at once, and a parked read ends when it is dismissed", async () => {
    expect(await start(0).body.next()).toEqual({ done: true, value: undefined });
    const { body } = start(5);
    const parked = body.next();
    body.dismiss();
    expect(await parked).toEqual({ done: true, value: undefined });
  });

  it("counts every byte that came, in few calls", async () => {
    const { stream, body, counted } = start(8 * 2 ** 20);
    const chunk = Buffer.alloc(256 * 1024);
    const reading = (async () => {
      let length = 0;
      for await (const each of body) length += each.length;
      return length;
    })();
    for (let time = 0; time < 32; time++) if (!stream.write(chunk)) await drained(stream);
    expect(await reading).toBe(8 * 2 ** 20);
    expect(counted.reduce((sum, bytes) => sum + bytes, 0)).toBe(8 * 2 ** 20);
    expect(counted.length).toBeLessThanOrEqual(3);
  });
});

/** False when the stream does not drain within a few turns of the event loop: nobody takes from it. */
async function drained(stream: PassThrough): Promise<boolean> {
  for (let turn = 0; turn < 20 && stream.writableNeedDrain; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  return !stream.writableNeedDrain;
}
