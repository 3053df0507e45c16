/** Owns the proof that a file is never closed under an operation in flight, and that absence stays tellable. */
import { constants } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { OpenFile } from "../../src/files/open-file.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const LARGE = 8 * 1024 * 1024;

test("close comes after every operation in flight, and refuses those that come later", async () => {
  const path = join(await tempDirectory(), "file");
  const file = await OpenFile.open(path, constants.O_RDWR | constants.O_CREAT);
  await file.write(0, [Buffer.alloc(LARGE, 1)]);
  const order: string[] = [];
  // Three, because the pool has four threads: a close that did not wait would run on the fourth and end first.
  const reads = [0, 1, 2].map(async () => {
    const count = await file.read(0, Buffer.alloc(LARGE));
    order.push("read");
    return count;
  });
  const closed = file.close().then(() => order.push("close"));
  await expect(file.read(0, Buffer.alloc(1))).rejects.toMatchObject({ code: "closed" });
  expect(await Promise.all(reads)).toEqual([LARGE, LARGE, LARGE]);
  await closed;
  expect(order).toEqual(["read", "read", "read", "close"]);
});

test("opening tells the errors of the system apart, so that absence can be a value", async () => {
  const path = join(await tempDirectory(), "absent");
  await expect(OpenFile.open(path, constants.O_RDONLY)).rejects.toMatchObject({ code: "ENOENT" });
});
