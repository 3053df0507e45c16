/** Owns the stall rule of one part: no byte for so long aborts it. Some versions wait for a first byte for ever. */
import type { OllamaVersion } from "./ollama-version.ts";

export class StallWatch {
  readonly #controller = new AbortController();
  readonly #ms: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `scale` scales the rule's time. */
  constructor(rule: OllamaVersion["stall"], scale: number) {
    this.#ms = rule === undefined ? undefined : rule.ms * scale;
    if (rule?.beforeFirstByte === true) this.sawByte();
  }

  /** Aborted when the part has stalled. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get stalled(): boolean {
    return this.#controller.signal.aborted;
  }

  sawByte(): void {
    if (this.#ms === undefined) return;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#controller.abort(), this.#ms);
    else this.#timer.refresh();
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
