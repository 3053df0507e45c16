/** Owns what is particular to hashing in a thread: its failures, its death, and that it never keeps a process alive. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { followFile } from "../../src/store/digest-follower.ts";
import { digestOfPattern, patternBytes } from "../support/pattern.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { fullPartial, owned, tempStore } from "../support/temp-store.ts";

const SIZE = 100_000;

test("a thread that dies fails its followers, and the next follower gets a new thread", async () => {
  const { spool } = await tempStore();
  const partial = await fullPartial(spool, 1, SIZE);
  const started = once(process, "worker");
  const doomed = partial.follow();
  const [thread] = (await started) as [Worker];
  await thread.terminate();
  await expect(doomed.digest()).rejects.toMatchObject({ code: "store-damaged" });
  const next = partial.follow();
  next.advance(SIZE);
  expect(await next.digest()).toBe(partial.digest);
  await partial.discard();
});

test("a file that cannot be read fails its own follower and no other", async () => {
  const { spool } = await tempStore();
  const partial = await fullPartial(spool, 2, SIZE);
  const path = join(await tempDirectory(), "none");
  const gone = followFile({ path, identity: "0:0", algorithm: "sha256", size: SIZE });
  const followers = [gone, partial.follow()];
  for (const follower of followers) follower.advance(SIZE);
  await expect(followers[0]?.digest()).rejects.toMatchObject({ code: "store-damaged" });
  expect(await followers[1]?.digest()).toBe(partial.digest);
  await partial.discard();
});

test("a file that was removed while it is open is hashed all the same", async () => {
  const { layout, spool } = await tempStore();
  const partial = await fullPartial(spool, 3, SIZE);
  rmSync(layout.directory, { recursive: true });
  const follower = partial.follow();
  follower.advance(SIZE);
  expect(await follower.digest()).toBe(partial.digest);
  await partial.discard();
});

test("another file under the same path is not hashed in its place", async () => {
  const path = join(await tempDirectory(), "file");
  writeFileSync(path, patternBytes(4, 0, SIZE));
  const follower = followFile({ path, identity: "0:0", algorithm: "sha256", size: SIZE });
  follower.advance(SIZE);
  await expect(follower.digest()).rejects.toMatchObject({
    code: "store-damaged",
    message: expect.stringContaining("another file"),
  });
});

test("a file that ends before its bytes fails the follower instead of hanging it", async () => {
  const { layout, spool } = await tempStore();
  const partial = await fullPartial(spool, 5, SIZE);
  writeFileSync(layout.partial(owned(partial.digest)).data, "short");
  const follower = partial.follow();
  follower.advance(SIZE);
  await expect(follower.digest()).rejects.toMatchObject({ message: expect.stringContaining("ended at 5") });
  await partial.discard();
});

test("the process stays for a digest that is awaited, and ends when none is", async () => {
  const source = new URL("../../src/store/digest-follower.ts", import.meta.url).href;
  const script = `
    import { statSync, writeFileSync } from "node:fs";
    const { followFile } = await import(${JSON.stringify(source)});
    const path = process.argv[1];
    writeFileSync(path, "hello");
    const { dev, ino } = statSync(path);
    const follower = followFile({ path, identity: dev + ":" + ino, algorithm: "sha256", size: 5 });
    follower.advance(5);
    console.log(await follower.digest());`;
  const path = join(await tempDirectory(), "file");
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", script, path], { timeout: 20_000 });
  expect(ended.stderr.toString()).toBe("");
  expect(ended.status).toBe(0);
  expect(ended.stdout.toString()).toMatch(/^sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e/);
});

test("many followers at once all come to their digest", async () => {
  const { spool } = await tempStore();
  const partials = await Promise.all(
    Array.from({ length: 30 }, (_, index) => fullPartial(spool, 100 + index, SIZE + index)),
  );
  const digests = partials.map((partial) => {
    const follower = partial.follow();
    follower.advance(partial.size);
    return follower.digest();
  });
  expect(await Promise.all(digests)).toEqual(
    partials.map(({ size }, index) => digestOfPattern(100 + index, size)),
  );
  await Promise.all(partials.map((partial) => partial.discard()));
});
