/** Owns the permission bits of what Granary makes in its directory: nothing there is for other users of the machine. */

/** For directories: the owner reads and writes, the group only reads. */
export const FOLDER_MODE = 0o750;
/** For files that are written to, such as the database. */
export const FILE_MODE = 0o640;
/** For files that are never written to again. */
export const BLOB_MODE = 0o440;
