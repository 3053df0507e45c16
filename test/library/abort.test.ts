/** Shows what every function of the library does when its caller gives up: it rejects with the reason that the caller gave. */
import { execFileSync } from "node:child_process";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as granary from "../../src/index.ts";
import { eventually } from "../support/patience.ts";
import { until } from "../support/wire.ts";
import { ASKING, FETCHING, libraryWorld } from "./library-world.ts";

const ALL = [...ASKING, ...FETCHING];

describe("an abort rejects with the signal's reason", () => {
  test.each(ALL)("%s, while nothing answers", async (_, call) => {
    const world = await libraryWorld();
    world.fake.fail(/./, { kind: "hang" }, { times: 99 });
    const controller = new AbortController();
    const calling = call(world, { signal: controller.signal });
    calling.catch(() => undefined);
    await until(() => world.fake.requests.length > 0);
    const reason = new Error("the user closed the window");
    controller.abort(reason);
    await expect(calling).rejects.toBe(reason);
    await until(() => world.fake.connections === 0);
  });

  test.each(FETCHING)("%s, in the middle of its bytes", async (_, call) => {
    const world = await libraryWorld();
    const reason = { why: "no more, please" };
    const controller = new AbortController();
    const onProgress = ({ done }: granary.Progress) => {
      if (done > 0) controller.abort(reason);
    };
    world.fake.fail(/blobs/, { kind: "stall", afterBytes: 500_000 }, { times: 99 });
    await expect(call(world, { signal: controller.signal, onProgress })).rejects.toBe(reason);
  });

  test.each(ALL)("%s, when it was aborted before: nothing is asked, nothing is written", async (_, call) => {
    const world = await libraryWorld();
    const before = await readdir(world.directory);
    const reason = new Error("too late");
    await expect(call(world, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(world.fake.requests).toEqual([]);
    expect(await readdir(world.directory)).toEqual(before);
  });

  test("createImage, whose tar is a pipe that says nothing", async () => {
    const { directory } = await libraryWorld();
    const pipe = join(directory, "pipe");
    execFileSync("mkfifo", [pipe]);
    const feeding = await open(pipe, "r+");
    const controller = new AbortController();
    const options = { name: "app", output: join(directory, "app.tar"), signal: controller.signal };
    const making = granary.createImage(pipe, options);
    making.catch(() => undefined);
    await eventually(async () =>
      expect(await readdir(directory)).toContainEqual(expect.stringMatching(/^\.app\.tar/)),
    );
    controller.abort("enough");
    await expect(making).rejects.toBe("enough");
    await feeding.close();
  });

  test("a time limit is a reason like any other", async () => {
    const world = await libraryWorld();
    world.fake.fail(/./, { kind: "hang" }, { times: 99 });
    const signal = AbortSignal.timeout(1);
    const failure: unknown = await granary.imageDigest(world.names.image, { signal }).catch((error) => error);
    expect(failure).toBe(signal.reason);
    expect(failure).toMatchObject({ name: "TimeoutError" });
  });

  test("an open image as the argument changes nothing", async () => {
    const world = await libraryWorld();
    const image = await granary.openImage(world.names.image, { platform: "linux/amd64" });
    const reason = new Error("no");
    const signal = AbortSignal.abort(reason);
    await expect(granary.uncompressedImageSize(image, { signal })).rejects.toBe(reason);
    await expect(granary.imageSize(image, { signal })).rejects.toBe(reason);
    await image.close();
  });
});

describe("an abort without a reason", () => {
  test.each(ALL)("%s rejects with `aborted`, whose cause is the signal's reason", async (_, call) => {
    const world = await libraryWorld();
    world.fake.fail(/./, { kind: "hang" }, { times: 99 });
    const controller = new AbortController();
    const calling = call(world, { signal: controller.signal });
    calling.catch(() => undefined);
    await until(() => world.fake.requests.length > 0);
    controller.abort();
    const failure: unknown = await calling.catch((error) => error);
    expect(granary.isGranaryError(failure, "aborted")).toBe(true);
    expect(failure).toMatchObject({ cause: controller.signal.reason });
  });

  test("tells what is kept, and the same call goes on from there", async () => {
    const { fake, directory, layer } = await libraryWorld();
    fake.fail(/blobs/, { kind: "stall", afterBytes: 500_000 }, { times: 99 });
    const controller = new AbortController();
    const onProgress = ({ done }: granary.Progress) => {
      if (done > 0) controller.abort();
    };
    const path = join(directory, "x");
    const fetch = (options: granary.FetchBlobOptions) =>
      granary.fetchBlob(`${fake.host}/org/app`, layer?.digest ?? "", path, options);
    const failure: unknown = await fetch({ signal: controller.signal, onProgress }).catch((error) => error);
    expect(failure).toMatchObject({
      code: "aborted",
      message: expect.stringMatching(/are kept in .*x\.partial, and the same command goes on from there/),
      cause: controller.signal.reason,
    });
    fake.faults.length = 0;
    expect(await fetch({})).toMatchObject({ digest: layer?.digest });
  });
});

test("a failure that only coincides with an abort is told as it is", async () => {
  const { fake } = await libraryWorld();
  const controller = new AbortController();
  const failure = new Error("thrown by the listener");
  const onDescriptor = () => {
    controller.abort(new Error("a reason"));
    throw failure;
  };
  const options = { signal: controller.signal, onDescriptor };
  const digest = fake.addBlob(Buffer.from("small"), "org/app");
  await expect(granary.fetchBlob(`${fake.host}/org/app`, digest, "/nowhere-at-all", options)).rejects.toBe(
    failure,
  );
});
