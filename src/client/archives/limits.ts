/** Owns how much of an archive is ever read into memory at once, by what it is. Pure data. */

/** index.json and manifest.json list images: one with thousands of them is still read. */
export const MAX_LIST_BYTES = 16 * 1024 * 1024;

/** Configs carry the history and labels, which are seldom more than some KB. */
export const MAX_CONFIG_BYTES = 8 * 1024 * 1024;
