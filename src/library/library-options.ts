/** Owns the options that every library function takes beside its own. Pure data. */
import type { VerbOptions } from "../client/fetching/progress.ts";
import type { Credentials } from "../oci/credentials.ts";
import type { Source } from "../source.ts";

export type LibraryOptions = VerbOptions & {
  /**
   * Where content comes from: a Mirror's (`mirrorSource`), one kept open over many calls (`openSource`). It stays open. Without
   * it each call asks the registry that the name implies, through a Source that it closes again; the next five options are for
   * that one, and are ignored where `source` is given.
   */
  readonly source?: Source;
  /** Base URL of a Granary, or of any registry, that is asked in place of the registry that the name implies. */
  readonly via?: string;
  /** Plain HTTP to the registry that the name implies. */
  readonly insecure?: boolean;
  /** Used in place of everything that is configured. */
  readonly credentials?: Credentials;
  /** A configuration file of Granary: its upstreams, with their endpoints and credentials, are used here too. */
  readonly config?: string;
  /** A PEM file with certificate authorities that are trusted beside the usual ones, for every registry. */
  readonly caFile?: string;
  /** `os/architecture[/variant]`; linux on this machine's architecture by default. */
  readonly platform?: string;
};
