/**
 * Owns the sums over what is stored: how many blobs with how many bytes, and how many manifests. They are added up once, when the database
 * is opened (a tenth of a second for a million blobs); from then on triggers keep them up to date, so that reading them costs the same
 * however many rows there are. Table and triggers are temporary: they belong to the connection, and one row fits into its memory.
 */

/** For each new connection, once the tables are there (https://sqlite.org/lang_createtrigger.html, section 6: TEMP triggers). */
export const KEEP_SUMS = `
  CREATE TEMP TABLE sums (blobs INTEGER NOT NULL, bytes INTEGER NOT NULL, manifests INTEGER NOT NULL) STRICT;
  INSERT INTO temp.sums
    SELECT count(*), coalesce(sum(size), 0), (SELECT count(*) FROM main.manifests) FROM main.blobs;
  CREATE TEMP TRIGGER blob_came AFTER INSERT ON main.blobs
    BEGIN UPDATE sums SET blobs = blobs + 1, bytes = bytes + new.size; END;
  CREATE TEMP TRIGGER blob_went AFTER DELETE ON main.blobs
    BEGIN UPDATE sums SET blobs = blobs - 1, bytes = bytes - old.size; END;
  CREATE TEMP TRIGGER blob_resized AFTER UPDATE OF size ON main.blobs
    BEGIN UPDATE sums SET bytes = bytes - old.size + new.size; END;
  CREATE TEMP TRIGGER manifest_came AFTER INSERT ON main.manifests
    BEGIN UPDATE sums SET manifests = manifests + 1; END;
  CREATE TEMP TRIGGER manifest_went AFTER DELETE ON main.manifests
    BEGIN UPDATE sums SET manifests = manifests - 1; END;
`;

export type Sums = { readonly blobs: number; readonly bytes: number; readonly manifests: number };

export const READ_SUMS = "SELECT blobs, bytes, manifests FROM temp.sums";
