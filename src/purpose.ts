/**
 * Owns Purpose: what bytes are wanted for, and the order that this gives when a line cannot bring everything at once; and for whom they are
 * wanted, which is only shown. Plain values: whoever has lanes or connections to give decides what the order means there.
 */

/**
 * The most urgent first. `waited`: a client waits for the bytes now. `ahead`: a client that reads will need them next. `prefetch`: they
 * will probably be asked for. `warm`: somebody wants them here by tomorrow.
 */
export const PURPOSES = ["waited", "ahead", "prefetch", "warm"] as const;

export type Purpose = (typeof PURPOSES)[number];

/** For whom. The names are those that people use; what clients invent in them was bounded by the grammars of names. */
export type Serves = {
  readonly repository: string;
  /** The tag that it was asked for by, where that is known. */
  readonly tag?: string | undefined;
  /** Address of the client. */
  readonly client?: string | undefined;
  /** Names the pull that it belongs to. */
  readonly pull?: string | undefined;
};

/** What somebody wants bytes for, and who that is. */
export type Wanting = { readonly purpose: Purpose; readonly serves?: Serves | undefined };

/** 0 for the most urgent. */
export function rankOf(purpose: Purpose): number {
  return PURPOSES.indexOf(purpose);
}

/** Nobody waits for these, and no client reads: they give way to everything that a client needs. */
export function isBackground(purpose: Purpose): boolean {
  return purpose === "prefetch" || purpose === "warm";
}
