/** Owns a DNS server on loopback for tests: it answers A and AAAA over UDP from a table, and NXDOMAIN for every other name. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { onTestFinished } from "vitest";

export type TinyDns = {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** Addresses by name; what is set here counts for the next question. */
  readonly table: Map<string, readonly string[]>;
  /** Names that were asked for, in lower case, once for each question. */
  readonly asked: readonly string[];
};

const KIND = { a: 1, aaaa: 28 };
const ANSWER = 0x8180;
const NO_SUCH_NAME = 3;

export async function startTinyDns(names: Readonly<Record<string, readonly string[]>>): Promise<TinyDns> {
  const table = new Map(Object.entries(names));
  const asked: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => {
    const question = questionIn(query);
    asked.push(question.name);
    socket.send(answerTo(query, question, table.get(question.name)), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return { address: `127.0.0.1:${socket.address().port}`, table, asked };
}

type Question = { readonly name: string; readonly kind: number; readonly end: number };

/** The first one; there is never another. */
function questionIn(query: Buffer): Question {
  const labels: string[] = [];
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), kind: query.readUInt16BE(at + 1), end: at + 5 };
}

function answerTo(query: Buffer, { kind, end }: Question, addresses: readonly string[] | undefined): Buffer {
  const records = (addresses ?? [])
    .filter((address) => kind === (isIPv6(address) ? KIND.aaaa : KIND.a))
    .map((address) => record(kind, isIPv6(address) ? sixteen(address) : four(address)));
  const head = Buffer.alloc(12);
  head.writeUInt16BE(query.readUInt16BE(0), 0);
  head.writeUInt16BE(ANSWER | (addresses === undefined ? NO_SUCH_NAME : 0), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, query.subarray(12, end), ...records]);
}

/** Its name is that of the question, by a pointer to it. */
function record(kind: number, data: Buffer): Buffer {
  const head = Buffer.from([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 1, 0, data.length]);
  return Buffer.concat([head, data]);
}

function four(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

/** One `::` in it stands for as many zeros as are missing. */
function sixteen(address: string): Buffer {
  const [before = "", after = ""] = address.split("::");
  const groups = (text: string) =>
    text === "" ? [] : text.split(":").map((one) => Number.parseInt(one, 16));
  const [first, last] = [groups(before), groups(after)];
  const bytes = Buffer.alloc(16);
  first.forEach((group, index) => void bytes.writeUInt16BE(group, index * 2));
  last.forEach((group, index) => void bytes.writeUInt16BE(group, 16 - (last.length - index) * 2));
  return bytes;
}
