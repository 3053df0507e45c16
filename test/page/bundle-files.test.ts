/** Shows how the page reads a bundle of this machine and takes one from the server: by its headers alone, in any order, and never what is not whole. */
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { expect, test } from "vitest";
import { framed } from "../../src/bundle/frames.ts";
import { bytesOfFrames } from "../../src/page/bundle/frames.js";
import { readIncoming, wholeOf } from "../../src/page/bundle/incoming.js";
import { filesOfTar } from "../../src/page/bundle/tar.js";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const place = (letter: string) => `blobs/sha256/${letter.repeat(64)}`;

async function tarOf(
  files: Readonly<Record<string, string>>,
  format: "plain" | "pax" = "plain",
): Promise<File> {
  const packer = pack();
  for (const [name, text] of Object.entries(files))
    packer.entry({ name, ...(format === "pax" && { pax: { comment: "x" } }) }, text);
  packer.finalize();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of packer) chunks.push(new Uint8Array(chunk as Uint8Array));
  return new File(chunks, "bundle.tar");
}

async function filesIn(blob: Blob) {
  const files: Record<string, string> = {};
  for await (const { name, body, size } of filesOfTar(blob))
    files[name] = await blob.slice(body, body + size).text();
  return files;
}

const index = JSON.stringify({ manifests: [{ digest: digest("a") }] });
const list = JSON.stringify({ manifests: [{ digest: digest("b") }, { digest: digest("f") }] });
const manifest = JSON.stringify({ config: {}, layers: [{ digest: digest("c") }] });

test("names and sizes are those that were packed, also long ones and with headers of their own", async () => {
  const files = { "oci-layout": "{}", [`${"long/".repeat(60)}name`]: "x".repeat(2_000), empty: "" };
  expect(await filesIn(await tarOf(files))).toEqual(files);
  expect(await filesIn(await tarOf(files, "pax"))).toEqual(files);
});

test("lists and manifests go first, each after what names it, whatever the order of the archive is", async () => {
  const file = await tarOf({
    [place("c")]: "layer",
    [place("b")]: manifest,
    [place("a")]: list,
    "manifest.json": "[]",
    "index.json": index,
    [place("d")]: "another",
  });
  const incoming = await readIncoming(file);
  expect(Object.keys(await filesIn(incoming.head))).toEqual(["index.json", place("a"), place("b")]);
  const whole = await filesIn(wholeOf(incoming, [digest("c"), digest("e")]));
  expect(Object.keys(whole)).toEqual(["index.json", place("a"), place("b"), place("c")]);
  expect(whole[place("c")]).toBe("layer");
});

test("what is no bundle, or not whole, is refused with a sentence", async () => {
  await expect(readIncoming(new File(["hello ".repeat(500)], "a.tar"))).rejects.toThrow(
    "This file is no bundle",
  );
  await expect(readIncoming(await tarOf({ "manifest.json": "[]" }))).rejects.toThrow("has no index.json");
  const whole = await tarOf({ "index.json": index, [place("a")]: "x".repeat(5_000) });
  await expect(readIncoming(new File([whole.slice(0, 4_000)], "a.tar"))).rejects.toThrow("cut off");
});

function streamOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  return Readable.toWeb(Readable.from(chunks)) as unknown as ReadableStream<Uint8Array>;
}

async function* bytes(...sizes: number[]) {
  for (const size of sizes) yield new Uint8Array(size).fill(size);
}

async function lengthOf(stream: ReadableStream<Uint8Array>) {
  let length = 0;
  for await (const part of bytesOfFrames(stream)) length += part.length;
  return length;
}

test("a bundle comes out of its frames as it was, however they are cut", async () => {
  expect(await lengthOf(streamOf(framed(bytes(1, 70_000, 3), () => ({}))))).toBe(70_004);
  const parts: Uint8Array[] = [];
  for await (const part of framed(bytes(10, 20), () => ({}))) parts.push(part);
  const single = async function* () {
    for (const byte of Buffer.concat(parts)) yield Uint8Array.of(byte);
  };
  expect(await lengthOf(streamOf(single()))).toBe(30);
});

test("a bundle that breaks off is an error, and so is one of which the server says why it ended", async () => {
  const cut = async function* () {
    for await (const part of framed(bytes(100), () => ({}))) {
      yield part.subarray(0, 50);
      if (part.length > 50) return;
    }
  };
  await expect(lengthOf(streamOf(cut()))).rejects.toThrow("did not come whole");
  const failed = framed(bytes(5), () => ({ error: { code: "not-found", message: "A layer is gone." } }));
  await expect(lengthOf(streamOf(failed))).rejects.toThrow("A layer is gone.");
});
