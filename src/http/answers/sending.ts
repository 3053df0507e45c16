/**
 * Owns how the bodies of blobs leave: from their files by the kernel, or copied through our memory; and that the log says which. Bodies that
 * are under way go on as they began.
 */
import { availableParallelism } from "node:os";
import { type Lacking, loadSendFile, type SendFile } from "../../files/send-file.ts";
import type { Log } from "../../observe/log.ts";
import { Semaphore } from "../../waiting/semaphore.ts";

/**
 * As many as run at once: Node has at least four threads for all work on files, and reads must not wait behind a crowd of these. Each takes a
 * fraction of a millisecond where the file is in memory. The others wait in order, so that no client overtakes another.
 */
const AT_ONCE = Math.max(4, availableParallelism());

/**
 * Less than a millisecond or two where the file is in memory, so that many clients take turns quickly, and enough that the way to the thread
 * and back does not count.
 */
const TURN_BYTES = 4 * 1024 * 1024;

/** Nobody waits for a turn then. A client that reads more slowly than the kernel sends ends it long before. */
const LONE_TURN_BYTES = 32 * 1024 * 1024;

/** As SendFile; a `send` waits until it has its turn. */
export type SendInTurns = SendFile & {
  /** What one `send` should ask for now, bytes. */
  readonly turnBytes: number;
};

export class Sending {
  readonly #library: SendInTurns | Lacking;
  readonly #log: Log;
  #told: string | undefined;
  #sendFile: SendInTurns | undefined;

  private constructor(library: SendInTurns | Lacking, log: Log) {
    this.#library = library;
    this.#log = log;
  }

  static async open(log: Log): Promise<Sending> {
    const library = await loadSendFile();
    return new Sending("lacking" in library ? library : inTurns(library), log);
  }

  /** undefined where bodies are copied. */
  get sendFile(): SendInTurns | undefined {
    return this.#sendFile;
  }

  /** Takes what the settings say, and says in the log what came of it whenever that is something new. */
  choose({ isOff, isEncrypted }: { readonly isOff: boolean; readonly isEncrypted: boolean }): void {
    const library = this.#library;
    this.#sendFile = isOff || "lacking" in library ? undefined : library;
    if (isOff) this.#tell("blobs are copied to clients: clients.sendfile is false");
    else if ("lacking" in library) this.#tell(`blobs are copied to clients: ${library.lacking}`);
    else
      this.#tell(`blobs leave by sendfile${isEncrypted ? "; those of listeners with https are copied" : ""}`);
  }

  #tell(sentence: string): void {
    if (sentence !== this.#told) this.#log.info(sentence);
    this.#told = sentence;
  }
}

function inTurns(library: SendFile): SendInTurns {
  const turns = new Semaphore(AT_ONCE);
  let asking = 0;
  return {
    ...library,
    get turnBytes() {
      return asking === 0 ? LONE_TURN_BYTES : TURN_BYTES;
    },
    send: async (...span) => {
      asking += 1;
      try {
        return await turns.run("sendfile", () => library.send(...span));
      } finally {
        asking -= 1;
      }
    },
  };
}
