/** Owns the section `bandwidth` of the configuration: how much of the line may be used, in all and for each upstream, and at which hours. */
import { z } from "zod";
import { parseRate } from "../../bytes/units.ts";
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { BandwidthSettings } from "../../upstream/network/bandwidth-hours.ts";

const RATE = "unlimited, or a rate such as 5MB/s, 500kB/s or 40Mbit/s";
const rate = z.string().transform((text, context) => {
  try {
    return parseRate(text);
  } catch (error) {
    if (!isGranaryError(error)) throw error;
    context.addIssue({ code: "custom", message: `expected ${RATE}` });
    return z.NEVER;
  }
});

const TIME = /^([01]\d|2[0-3]):([0-5]\d)$/;
const time = z
  .string()
  .regex(TIME, { error: 'expected a time of day such as "22:00" (in quotes)' })
  .transform((text) => {
    const [, hours, minutes] = TIME.exec(text) ?? [];
    return Number(hours) * 60 + Number(minutes);
  });

const limits = {
  total: rate.optional().describe(`What may come from all upstreams together: ${RATE}.`),
  upstreams: z
    .record(z.string().min(1), rate)
    .optional()
    .describe(`What may come from each upstream, by its name: ${RATE}.`),
};

export const bandwidthSection = z
  .strictObject({
    ...limits,
    hours: z
      .array(
        z.strictObject({
          from: time.describe("When these limits begin, in the local time of the machine."),
          to: time.describe("When they end; a time before `from` is on the next day."),
          ...limits,
        }),
      )
      .max(50)
      .optional()
      .describe(
        "Other limits at some hours of the day. The first that holds counts; what it does not name stays.",
      ),
  })
  .describe("How much of the line may be used. Clients that wait go first.");

/** Throws `config-invalid` for an upstream that there is not, and for hours that never hold. */
export function bandwidthSettings(
  written: z.infer<typeof bandwidthSection>,
  upstreams: readonly { readonly name: string }[],
): BandwidthSettings {
  const names = new Set(upstreams.map(({ name }) => name));
  const check = (key: string, limited: Readonly<Record<string, number>> = {}) => {
    for (const name of Object.keys(limited))
      if (!names.has(name))
        throw new GranaryError("config-invalid", `${key}.${name}: no upstream has this name.`, {
          found: name,
        });
  };
  check("bandwidth.upstreams", written.upstreams);
  for (const [index, hours] of (written.hours ?? []).entries()) {
    check(`bandwidth.hours.${index}.upstreams`, hours.upstreams);
    if (hours.from !== hours.to) continue;
    const text = `bandwidth.hours.${index}: from and to are the same time; write the limit without hours if it always holds.`;
    throw new GranaryError("config-invalid", text);
  }
  return written;
}
