/** Owns Environment: the variables of a process as a value, which is handed down to whoever reads any of them. */
export type Environment = Readonly<Record<string, string | undefined>>;
