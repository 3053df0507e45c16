/** Owns the names of everything that can be wrong with the store: keys of episodes, and a label of the metrics. What each means to people is said where it is met. */

export const TROUBLES = [
  "room",
  "kept",
  "disk",
  "partials",
  "damage",
  "storage",
  "database",
  "reconcile",
  "metadata-writes",
  "metadata-reads",
  "metadata-row",
  "fleet-database",
  "fleet-bucket",
] as const;

export type Trouble = (typeof TROUBLES)[number];
