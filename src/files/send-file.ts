/**
 * Owns the one call that Node does not have: sendfile(2), by which the kernel itself puts bytes of a file on a connection. It is called
 * through koffi, an optional dependency. It must never block the event loop, never hold a thread for a client that reads slowly (a
 * connection takes what it can and no more), and never use the number of a connection that Node may have closed.
 */
import { close } from "node:fs";

export type SendFile = {
  /**
   * Sends at most `most` bytes of `file` from `offset` on to `connection`, both descriptors; resolves with how many were taken. 0 when the
   * connection takes none now, and also when the kernel refuses: whoever then writes or reads in the ordinary way hears why.
   */
  send(connection: number, file: number, offset: number, most: number): Promise<number>;
  /**
   * Whether only whole packets leave from now on. Each packet wakes its receiver, and many small ones cost a third of the speed; but the
   * rest of the bytes, less than a packet, waits up to 200 ms until this is off again. Nothing happens where the system has no such thing.
   */
  cork(connection: number, isOn: boolean): void;
  /** Another number of the same connection, which stays ours when Node closes its own; undefined when there is none to be had. */
  duplicate(connection: number): number | undefined;
  /** Gives back what `duplicate` gave. Nothing may be sent to it any more. */
  release(connection: number): void;
};

/** Why it cannot be had here, as the end of a sentence. */
export type Lacking = { readonly lacking: string };

/** fcntl(2): a copy of a descriptor that programs which we start do not inherit. */
const COPY_DESCRIPTOR: Readonly<Partial<Record<NodeJS.Platform, number>>> = { linux: 1030, darwin: 67 };

/** tcp(7) of Linux. On macOS what waits may stay there when it is switched off. */
const [IPPROTO_TCP, TCP_CORK] = [6, 3];

/** Loads koffi and finds the call. Never throws. */
export async function loadSendFile(): Promise<SendFile | Lacking> {
  const copyCommand = COPY_DESCRIPTOR[process.platform];
  if (copyCommand === undefined) return { lacking: `${process.platform} has no sendfile that we know` };
  try {
    const { default: koffi } = await import("koffi");
    return bind(koffi, copyCommand);
  } catch (error) {
    return { lacking: `koffi cannot be loaded (${error instanceof Error ? error.message : String(error)})` };
  }
}

type Koffi = typeof import("koffi").default;

/** The calling thread gets the result by a callback. */
type AsyncCall = (...values: unknown[]) => void;

function bind(koffi: Koffi, copyCommand: number): SendFile {
  const system = koffi.load(null);
  const fcntl = system.func("int fcntl(int fd, int command, ...)");
  const call = process.platform === "darwin" ? darwinCall(system) : linuxCall(system);
  return {
    send: (connection, file, offset, most) => call({ connection, file, offset, most }),
    cork: process.platform === "linux" ? linuxCork(system) : () => undefined,
    duplicate: (connection) => {
      const copy: number = fcntl(connection, copyCommand, "int", 3);
      return copy < 0 ? undefined : copy;
    },
    // A close that fails has nothing left to harm.
    release: (copy) => close(copy, () => undefined),
  };
}

type Library = ReturnType<Koffi["load"]>;
type Span = {
  readonly connection: number;
  readonly file: number;
  readonly offset: number;
  readonly most: number;
};

/** sendfile(2) of Linux: the result is the number of bytes. koffi makes a copy of `[offset]` that lives as long as the call. */
function linuxCall(system: Library): (span: Span) => Promise<number> {
  const { async: sendfile }: { async: AsyncCall } = system.func(
    "intptr_t sendfile(int out, int in, int64_t *offset, size_t count)",
  );
  return ({ connection, file, offset, most }) =>
    new Promise((resolve) => {
      sendfile(connection, file, [offset], most, (error: unknown, sent: number) =>
        resolve(error === null ? Math.max(0, Number(sent)) : 0),
      );
    });
}

/** A connection that cannot be corked sends as before: nothing to tell anybody. */
function linuxCork(system: Library): SendFile["cork"] {
  const setsockopt = system.func("int setsockopt(int fd, int level, int name, int *value, uint32_t length)");
  return (connection, isOn) => void setsockopt(connection, IPPROTO_TCP, TCP_CORK, [isOn ? 1 : 0], 4);
}

/** sendfile(2) of macOS: the number is left in `length`, also when the connection took less than all. */
function darwinCall(system: Library): (span: Span) => Promise<number> {
  const { async: sendfile }: { async: AsyncCall } = system.func(
    "int sendfile(int file, int connection, int64_t offset, _Inout_ int64_t *length, void *headers, int flags)",
  );
  return ({ connection, file, offset, most }) =>
    new Promise((resolve) => {
      const length = [most];
      sendfile(file, connection, offset, length, null, 0, (error: unknown, result: number) => {
        const sent = length[0] ?? 0;
        resolve(error === null && (result === 0 || sent < most) ? sent : 0);
      });
    });
}
