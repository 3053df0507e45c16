/**
 * Owns the sending of one body's bytes from a file to its connection without a copy through our memory. It must never send while bytes that
 * Node was given are still on their way (they would come out of order), and never to a connection that somebody else has by now.
 */
import type { ServerResponse } from "node:http";
import type { SendInTurns } from "./sending.ts";

export class FileSender {
  readonly #sendFile: SendInTurns;
  readonly #connection: number;
  readonly #outgoing: ServerResponse;
  readonly #onSent: (bytes: number) => void;
  /** It took less than it was sent: to ask it again at once would be for nothing. */
  #isFull = false;
  #isCorked = false;

  private constructor(
    sendFile: SendInTurns,
    connection: number,
    outgoing: ServerResponse,
    onSent: (bytes: number) => void,
  ) {
    this.#sendFile = sendFile;
    this.#connection = connection;
    this.#outgoing = outgoing;
    this.#onSent = onSent;
  }

  /** undefined where the connection is encrypted, gone, or no socket of the system. The caller closes it. */
  static open(
    outgoing: ServerResponse,
    sendFile: SendInTurns,
    onSent: (bytes: number) => void,
  ): FileSender | undefined {
    const descriptor = descriptorOf(outgoing);
    const connection = descriptor === undefined ? undefined : sendFile.duplicate(descriptor);
    return connection === undefined ? undefined : new FileSender(sendFile, connection, outgoing, onSent);
  }

  /**
   * Moves bytes of `file` to the client; returns how many, 0 when the client takes none now. To be called one at a time, again after
   * anything but 0, and only when everything that was written before has left.
   */
  readonly move = async (file: number, offset: number, most: number): Promise<number> => {
    const { socket } = this.#outgoing;
    if (this.#isFull || this.#outgoing.destroyed || socket === null || socket.writableLength > 0) return 0;
    if (!this.#isCorked) this.#cork(true);
    const wanted = Math.min(this.#sendFile.turnBytes, most);
    const sent = await this.#sendFile.send(this.#connection, file, offset, wanted);
    this.#isFull = sent > 0 && sent < wanted;
    if (sent === 0) return 0;
    this.#onSent(sent);
    // Node does not see these bytes; a client that takes them is not a silent one.
    if (socket.timeout !== undefined) socket.setTimeout(socket.timeout);
    return sent;
  };

  /** To be called before something else is written: what is left of the moved bytes goes out, and the connection may be asked again. */
  push(): void {
    this.#isFull = false;
    if (this.#isCorked) this.#cork(false);
  }

  #cork(isOn: boolean): void {
    this.#isCorked = isOn;
    this.#sendFile.cork(this.#connection, isOn);
  }

  /** Nothing is being moved any more. */
  close(): void {
    this.#sendFile.release(this.#connection);
  }
}

/** Node's own number of the connection. It is in no documentation; where it is missing, bytes are copied. */
function descriptorOf({ socket }: ServerResponse): number | undefined {
  if (socket === null || "encrypted" in socket) return undefined;
  const { _handle: handle } = socket as { _handle?: { readonly fd?: unknown } | null };
  const descriptor = handle?.fd;
  return typeof descriptor === "number" && descriptor >= 0 ? descriptor : undefined;
}
