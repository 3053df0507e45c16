/**
 * Owns the sums over what is stored: how many blobs with how many bytes, how many manifests, and how much there is of the rows that have a
 * bound of their own. They are added up once, when the database is opened (a tenth of a second for a million blobs); from then on triggers keep
 * them up to date, so that reading them costs the same however many rows there are. Table and triggers are temporary: they belong to the
 * connection, and one row fits into its memory. A row that replaces another must be written by an upsert: `INSERT OR REPLACE` deletes without
 * a word to triggers.
 */

/** For each new connection, once the tables are there (https://sqlite.org/lang_createtrigger.html, section 6: TEMP triggers). */
export const KEEP_SUMS = `
  CREATE TEMP TABLE sums (blobs INTEGER NOT NULL, bytes INTEGER NOT NULL, manifests INTEGER NOT NULL, lists INTEGER NOT NULL,
    list_bytes INTEGER NOT NULL, views INTEGER NOT NULL, odd_tags INTEGER NOT NULL, sightings INTEGER NOT NULL) STRICT;
  INSERT INTO temp.sums
    SELECT count(*), coalesce(sum(size), 0), (SELECT count(*) FROM main.manifests),
      (SELECT count(*) FROM main.lists), (SELECT coalesce(sum(length(body)), 0) FROM main.lists),
      (SELECT count(*) FROM main.visibility), (SELECT count(*) FROM main.tags WHERE accept_class <> ''),
      (SELECT count(*) FROM main.sightings) FROM main.blobs;
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
  CREATE TEMP TRIGGER list_came AFTER INSERT ON main.lists
    BEGIN UPDATE sums SET lists = lists + 1, list_bytes = list_bytes + length(new.body); END;
  CREATE TEMP TRIGGER list_went AFTER DELETE ON main.lists
    BEGIN UPDATE sums SET lists = lists - 1, list_bytes = list_bytes - length(old.body); END;
  CREATE TEMP TRIGGER list_changed AFTER UPDATE OF body ON main.lists
    BEGIN UPDATE sums SET list_bytes = list_bytes - length(old.body) + length(new.body); END;
  CREATE TEMP TRIGGER view_came AFTER INSERT ON main.visibility
    BEGIN UPDATE sums SET views = views + 1; END;
  CREATE TEMP TRIGGER view_went AFTER DELETE ON main.visibility
    BEGIN UPDATE sums SET views = views - 1; END;
  CREATE TEMP TRIGGER odd_tag_came AFTER INSERT ON main.tags WHEN new.accept_class <> ''
    BEGIN UPDATE sums SET odd_tags = odd_tags + 1; END;
  CREATE TEMP TRIGGER odd_tag_went AFTER DELETE ON main.tags WHEN old.accept_class <> ''
    BEGIN UPDATE sums SET odd_tags = odd_tags - 1; END;
  CREATE TEMP TRIGGER sighting_came AFTER INSERT ON main.sightings
    BEGIN UPDATE sums SET sightings = sightings + 1; END;
  CREATE TEMP TRIGGER sighting_went AFTER DELETE ON main.sightings
    BEGIN UPDATE sums SET sightings = sightings - 1; END;
`;

export type Sums = { readonly blobs: number; readonly bytes: number; readonly manifests: number };

export const READ_SUMS = "SELECT blobs, bytes, manifests FROM temp.sums";

/** Of the rows that have a bound of their own. */
export type BoundSums = {
  readonly lists: number;
  /** Of their bodies. */
  readonly listBytes: number;
  /** Notes on who may see what. */
  readonly views: number;
  /** Tags that were asked for with unusual Accept lists. */
  readonly oddTags: number;
  readonly sightings: number;
};

export const READ_BOUND_SUMS =
  "SELECT lists, list_bytes AS listBytes, views, odd_tags AS oddTags, sightings FROM temp.sums";
