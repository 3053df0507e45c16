/**
 * Owns how the bodies of blobs leave: from their files by the kernel, or copied through our memory; and that the log says which. Bodies that
 * are under way go on as they began.
 */
import { type Lacking, loadSendFile, type SendFile } from "../../files/send-file.ts";
import type { Log } from "../../observe/log.ts";

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
    return new Sending(await loadSendFile(), log);
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
