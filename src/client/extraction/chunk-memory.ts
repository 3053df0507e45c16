/**
 * Owns the memory of chunks that an archive came in: it is given back as soon as all bytes of a chunk are used. Left to the
 * collector, which sees but the small objects in front of them, tens of megabytes would lie about at any time.
 */

export class ChunkMemory {
  readonly #chunks: { readonly buffer: ArrayBuffer; readonly end: number }[] = [];

  /** Takes charge of a chunk that ends at `end` of the archive, inside an entry's bytes. */
  add({ buffer, byteOffset, length }: Uint8Array, end: number): void {
    // Whoever made the chunk may still be filling what lies behind it in its buffer.
    const isFilled = byteOffset + length === buffer.byteLength;
    if (isFilled && buffer instanceof ArrayBuffer) this.#chunks.push({ buffer, end });
  }

  /** Everything in front of `position` has been used. */
  onUsed(position: number): void {
    for (let [first] = this.#chunks; first !== undefined && first.end <= position; [first] = this.#chunks) {
      first.buffer.transfer(0);
      this.#chunks.shift();
    }
  }
}
