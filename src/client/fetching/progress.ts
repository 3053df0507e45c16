/** Owns Progress: how far a verb has come, in numbers. Text, bars and rates are the caller's. */

export type Progress = {
  /** "fetch" counts bytes that came from the Source; "extract" counts entries put in place after that; "verify" bytes that were hashed. */
  readonly phase: "fetch" | "extract" | "verify";
  /** Only grows within a phase; the last report of a phase has `done` equal to `total`. */
  readonly done: number;
  readonly total: number;
};

/** Called from time to time, and at the end of each phase. What it throws ends the verb. */
export type OnProgress = (progress: Progress) => void;
