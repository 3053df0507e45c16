/**
 * Owns the Room port: the disk space that is reserved for the partial of one Fill. The Fill says what it has written and what it still needs.
 * It does not know how that is added up, or what is removed to make room.
 */

export interface Room {
  /** The partial occupies `bytes` bytes now; 0 when it is about to be deleted. */
  occupies(bytes: number): void;
  /**
   * Makes room for a partial of `bytes` bytes in total, including those that it occupies. False when there is not enough, even after all that
   * can be removed is gone. Never rejects.
   */
  extend(bytes: number): Promise<boolean>;
  /** Nothing more will be written: what was reserved beyond what the partial occupies is free for others. */
  giveBack(): void;
  /** The Fill has closed its partial. A partial that stays on the disk is counted without a Room from now on. Idempotent. */
  release(): void;
}
