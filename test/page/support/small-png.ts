/**
 * Owns how a screenshot becomes a small file: a PNG with the 256 colours that it has most of, each other one as the nearest of those. It reads
 * what Chromium writes (8 bits a channel, not interlaced) and nothing else (https://www.w3.org/TR/png-3/).
 */
import { crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOURS = 256;
const BYTES_BY_TYPE: Readonly<Record<number, number>> = { 2: 3, 6: 4 };

type Image = { readonly width: number; readonly height: number; readonly colours: Uint32Array };

export function smallPng(png: Buffer): Buffer {
  const { width, height, colours } = decoded(png);
  const palette = mostUsed(colours);
  const places = new Map<number, number>();
  const rows = Buffer.alloc((width + 1) * height);
  for (let at = 0; at < colours.length; at += 1) {
    const colour = colours[at] ?? 0;
    let place = places.get(colour);
    if (place === undefined) {
      place = nearest(palette, colour);
      places.set(colour, place);
    }
    rows[Math.floor(at / width) * (width + 1) + 1 + (at % width)] = place;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const table = Buffer.from(palette.flatMap((colour) => [colour >>> 16, (colour >>> 8) & 255, colour & 255]));
  const data = deflateSync(rows, { level: 9, memLevel: 9 });
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("PLTE", table),
    chunk("IDAT", data),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

function decoded(png: Buffer): Image {
  const data: Buffer[] = [];
  let [width, height, pixel] = [0, 0, 0];
  for (let at = SIGNATURE.length; at < png.length; ) {
    const end = at + 8 + png.readUInt32BE(at);
    const [name, content] = [png.toString("latin1", at + 4, at + 8), png.subarray(at + 8, end)];
    if (name === "IHDR")
      [width, height, pixel] = [
        content.readUInt32BE(0),
        content.readUInt32BE(4),
        BYTES_BY_TYPE[content[9] ?? 0] ?? 0,
      ];
    if (name === "IDAT") data.push(content);
    at = end + 4;
  }
  if (pixel === 0) throw new Error("this is no PNG of a screenshot");
  const rows = unfiltered(inflateSync(Buffer.concat(data)), width * pixel, height, pixel);
  const colours = new Uint32Array(width * height);
  for (let at = 0; at < colours.length; at += 1) colours[at] = rows.readUIntBE(at * pixel, 3);
  return { width, height, colours };
}

/** Each row says in its first byte how it differs from what is left of it and above it. */
function unfiltered(raw: Buffer, length: number, height: number, pixel: number): Buffer {
  const rows = Buffer.alloc(length * height);
  for (let row = 0; row < height; row += 1) {
    const kind = raw[row * (length + 1)] ?? 0;
    for (let at = 0; at < length; at += 1) {
      const place = row * length + at;
      const left = at < pixel ? 0 : (rows[place - pixel] ?? 0);
      const above = row === 0 ? 0 : (rows[place - length] ?? 0);
      const corner = at < pixel || row === 0 ? 0 : (rows[place - length - pixel] ?? 0);
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][kind] ?? 0;
      rows[place] = (raw[row * (length + 1) + 1 + at] ?? 0) + guess;
    }
  }
  return rows;
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [byLeft, byAbove, byCorner] = [left, above, corner].map((value) => Math.abs(guess - value));
  if ((byLeft ?? 0) <= (byAbove ?? 0) && (byLeft ?? 0) <= (byCorner ?? 0)) return left;
  return (byAbove ?? 0) <= (byCorner ?? 0) ? above : corner;
}

function mostUsed(colours: Uint32Array): number[] {
  const counts = new Map<number, number>();
  for (const colour of colours) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const ordered = [...counts].sort((a, b) => b[1] - a[1]);
  return ordered.slice(0, COLOURS).map(([colour]) => colour);
}

function nearest(palette: readonly number[], colour: number): number {
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (const [place, each] of palette.entries()) {
    const [red, green, blue] = [16, 8, 0].map((by) => ((each >>> by) & 255) - ((colour >>> by) & 255));
    const distance = (red ?? 0) ** 2 + (green ?? 0) ** 2 + (blue ?? 0) ** 2;
    if (distance < least) [best, least] = [place, distance];
  }
  return best;
}
