/**
 * Owns the Source that a library function works on: the caller's, which stays open, or one of its own, which is closed
 * however the function ends.
 */
import { readCertificates } from "../config/files.ts";
import { loadSettings } from "../config/load.ts";
import { GranaryError } from "../errors.ts";
import { openSource } from "../open.ts";
import type { Source } from "../source.ts";
import { endedBy } from "./ended-by.ts";
import type { LibraryOptions } from "./library-options.ts";

export type SourceOfCall = {
  readonly source: Source;
  /** Closes what was opened here and nothing else. Idempotent. */
  close(): Promise<void>;
};

/**
 * Gives `work` a Source and closes it afterwards, unless it is the caller's. Throws `config-invalid`, the signal's reason, and what
 * `work` throws.
 */
export async function withSource<T>(
  options: LibraryOptions,
  work: (source: Source) => Promise<T>,
): Promise<T> {
  return await endedBy(options.signal, async () => {
    const { source, close } = await sourceFor(options);
    try {
      return await work(source);
    } finally {
      await close();
    }
  });
}

/** The caller closes it. Throws `config-invalid`. */
export async function sourceFor({
  source,
  via,
  insecure,
  credentials,
  config,
  caFile,
}: LibraryOptions): Promise<SourceOfCall> {
  if (source !== undefined) return { source, close: async () => undefined };
  const settings = await loadSettings(config, process.env);
  const ca = caFile === undefined ? undefined : await readCertificates(caFile, "caFile (--ca-file)");
  const opened = openSource({
    settings,
    ...(via !== undefined && { via: checkUrl(via) }),
    ...(insecure !== undefined && { insecure }),
    ...(credentials !== undefined && { credentials }),
    ...(ca !== undefined && { ca }),
  });
  return { source: opened, close: () => opened.close() };
}

function checkUrl(via: string): string {
  if (/^https?:\/\/[^/]/.test(via) && URL.canParse(via)) return via;
  throw new GranaryError("config-invalid", `"${via}" is not a base URL such as http://granary:5000.`, {
    found: via,
  });
}
