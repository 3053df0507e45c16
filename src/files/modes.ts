/** Owns the permission bits of what Granary makes in its directory: nothing there is for other users of the machine. */

/** Its owner works in it, its group may look. */
export const FOLDER_MODE = 0o750;
/** What is written to, such as the database. */
export const FILE_MODE = 0o640;
/** What is never written to again. */
export const BLOB_MODE = 0o440;
