/**
 * Owns the Room port: the space on the disk that is kept for the partial of one Fill. The Fill says what it writes and what it still needs;
 * who adds that up, and what is removed for it, is not the Fill's business.
 */

export interface Room {
  /** The partial occupies so many bytes now, or is about to be deleted: 0. */
  occupies(bytes: number): void;
  /**
   * Makes sure that a partial of `bytes` bytes in all fits, those that it occupies included. False when it does not, whatever could be
   * removed. Never rejects.
   */
  extend(bytes: number): Promise<boolean>;
  /** Nothing more will be written: what was kept beyond what the partial occupies is free for others. */
  giveBack(): void;
  /** The Fill has let go of its partial; what it occupies stays there, and counts by itself. Idempotent. */
  release(): void;
}
