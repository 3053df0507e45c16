/**
 * Owns tar archives written block by block (pax(1), "ustar Interchange Format"; tar(5) of GNU), so that a test can also write what
 * no tool writes. It checks nothing.
 */

export type TarItem = {
  /** Taken as bytes, so that it need not be UTF-8. */
  readonly name: string | Buffer;
  /** "0" file (default), "1" link, "2" symlink, "3" and "4" devices, "5" directory, "6" fifo, "S" sparse, … */
  readonly type?: string;
  readonly content?: string | Buffer;
  readonly linkName?: string | Buffer;
  readonly mode?: number;
  /** Whole seconds. */
  readonly mtime?: number;
  /** In the header in place of the content's length. */
  readonly size?: number;
  /** Records of a PAX header in front. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
  /** Puts name and link name into GNU's long entries in front. */
  readonly isGnuLong?: boolean;
};

const BLOCK = 512;
const DEFAULT_MTIME = 1_500_000_000;

/** With the two empty blocks at the end. */
export function tarLayer(items: readonly TarItem[]): Buffer {
  return Buffer.concat([...items.map(tarItem), Buffer.alloc(2 * BLOCK)]);
}

function tarItem(item: TarItem): Buffer {
  const { name, type = "0", content = "", linkName = "", pax, isGnuLong = false } = item;
  const parts: Buffer[] = [];
  if (isGnuLong) parts.push(longEntry("L", name));
  if (isGnuLong && linkName.length > 0) parts.push(longEntry("K", linkName));
  if (pax !== undefined) parts.push(entry({ name: "PaxHeaders/x", type: "x", content: paxRecords(pax) }));
  parts.push(entry({ ...item, type, content }));
  return Buffer.concat(parts);
}

/** Short forms for what most tests write. */
export const file = (name: string, content: string | Buffer = "", more: Partial<TarItem> = {}): TarItem => ({
  name,
  content,
  ...more,
});
export const directory = (name: string, mode = 0o755, more: Partial<TarItem> = {}): TarItem => ({
  name,
  type: "5",
  mode,
  ...more,
});
export const symlink = (name: string, linkName: string, more: Partial<TarItem> = {}): TarItem => ({
  name,
  type: "2",
  linkName,
  mode: 0o777,
  ...more,
});
export const link = (name: string, linkName: string): TarItem => ({ name, type: "1", linkName });

function longEntry(type: "L" | "K", text: string | Buffer): Buffer {
  return entry({ name: "././@LongLink", type, content: Buffer.concat([Buffer.from(text), Buffer.alloc(1)]) });
}

function entry({
  name,
  type = "0",
  content = "",
  linkName = "",
  mode = 0o644,
  mtime = DEFAULT_MTIME,
  size,
}: TarItem): Buffer {
  const body = Buffer.from(content);
  const header = Buffer.alloc(BLOCK);
  Buffer.from(name).copy(header, 0, 0, 100);
  header.write(octal(mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(size ?? body.length, 11), 124);
  header.write(octal(mtime, 11), 136);
  header.write(type, 156);
  Buffer.from(linkName).copy(header, 157, 0, 100);
  header.write("ustar\u000000", 257);
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  return Buffer.concat([header, body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)]);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

function paxRecords(records: Readonly<Record<string, string | Buffer>>): Buffer {
  return Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );
}
