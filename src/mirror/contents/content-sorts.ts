/** Owns the orders in which what is stored can be listed. */
export const CONTENT_SORTS = ["used", "size", "saved", "name"] as const;
