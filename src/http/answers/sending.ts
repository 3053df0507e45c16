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

export class Sending {
  readonly #library: SendFile | Lacking;
  readonly #log: Log;
  #told: string | undefined;
  #sendFile: SendFile | undefined;

  private constructor(library: SendFile | Lacking, log: Log) {
    this.#library = library;
    this.#log = log;
  }

  static async open(log: Log): Promise<Sending> {
    const library = await loadSendFile();
    return new Sending("lacking" in library ? library : inTurns(library), log);
  }

  /** undefined where bodies are copied. */
  get sendFile(): SendFile | undefined {
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

function inTurns(library: SendFile): SendFile {
  const turns = new Semaphore(AT_ONCE);
  return { ...library, send: (...span) => turns.run("sendfile", () => library.send(...span)) };
}
