/** Owns the words that questions to the admin face choose from, for its routes and for the commands that offer them. */

export const PULL_STATES = ["running", "done", "failed"] as const;
export const TRAFFIC_GROUPS = ["day", "hour", "month", "upstream", "repository", "client", "node"] as const;
