/** Owns the key `resolver` of the configuration: DNS servers that are asked in place of the system's. */
import { isIP, isIPv4, isIPv6 } from "node:net";
import { z } from "zod";
import { GranaryError } from "../../errors.ts";

export const resolverSection = z
  .array(z.string().min(1))
  .describe(
    "DNS servers that Granary asks where registries are, in place of the system's: 9.9.9.9, 192.0.2.53:5353, [2001:db8::53]:53. Needed where the local DNS leads their names here.",
  );

/** undefined where the system's are asked. Throws `config-invalid` for what is no address of a server. */
export function resolverSettings(
  written: z.infer<typeof resolverSection> | undefined,
): readonly string[] | undefined {
  if (written === undefined || written.length === 0) return undefined;
  const index = written.findIndex((server) => !isServer(server));
  if (index < 0) return written;
  const sentence = `"${written[index]?.slice(0, 100)}" is no address of a DNS server; write 9.9.9.9, 192.0.2.53:5353 or [2001:db8::53]:53`;
  throw new GranaryError("config-invalid", `resolver.${index}: ${sentence}.`);
}

function isServer(text: string): boolean {
  if (isIP(text) !== 0) return true;
  const [, six, four, port] = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const isAddress = six === undefined ? isIPv4(four ?? "") : isIPv6(six);
  return isAddress && (port === undefined || (Number(port) > 0 && Number(port) <= 65_535));
}
