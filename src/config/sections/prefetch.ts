/** Owns the section `prefetch` of the configuration: what is fetched once a manifest was served, before its client asks for it. */
import { z } from "zod";
import { GranaryError, messageOf } from "../../errors.ts";
import type { Platform } from "../../oci/descriptor.ts";
import { parsePlatform } from "../../oci/platform.ts";

export const prefetchSection = z
  .strictObject({
    platforms: z
      .array(z.string().min(1))
      .max(8)
      .describe(
        "Of an index that was served, the images for these platforms come in; of an image, its config and layers. None switches it off.",
      ),
  })
  .describe(
    "What is fetched once a manifest was served, at low priority, before its client asks for it; off when left out.",
  );

export type PrefetchSetting = { readonly platforms: readonly Platform[] };

/** undefined where nothing is prefetched. Throws `config-invalid` with the key. */
export function prefetchSetting(
  written: z.infer<typeof prefetchSection> | undefined,
): PrefetchSetting | undefined {
  if (written === undefined || written.platforms.length === 0) return undefined;
  const platforms = written.platforms.map((text, index) => {
    try {
      return parsePlatform(text);
    } catch (error) {
      throw new GranaryError("config-invalid", `prefetch.platforms.${index}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  });
  return { platforms };
}
