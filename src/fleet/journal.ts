/**
 * Owns the Journal port: short news between the nodes of a fleet, so that what one changes is heard by the others within a second or two. It
 * carries no knowledge of its own: whoever missed some reads what is true from the database.
 */

/** One piece of news. `kind` is a word of whoever acts on it; `body` is plain JSON of at most 64 KiB. */
export type News = { readonly kind: string; readonly body: unknown };

export interface Journal {
  /** Tells the other nodes. Throws `fleet-unavailable`. */
  tell(news: News): Promise<void>;
  /** Hears what others told since this process began, each once, in about the order of telling. Returns how to stop. */
  onNews(listener: (news: News, node: string) => void): () => void;
  /**
   * Hears when news may have been missed (the database was away for longer than news is kept, or was made anew): everything that is remembered of
   * the fleet is to be read again.
   */
  onGap(listener: () => void): () => void;
}
