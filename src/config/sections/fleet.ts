/**
 * Owns the section `fleet` of the configuration: what makes this Granary a node of many. It reads the files that the section names, and
 * connects to nothing. No address of a database, key or secret is ever in a message.
 */
import { hostname } from "node:os";
import { z } from "zod";
import { GranaryError } from "../../errors.ts";
import type { NamedFiles } from "../named-files.ts";
import type { FleetSettings } from "../settings.ts";
import { DURATION, duration } from "../units.ts";
import { bucketSection, bucketSettings } from "./fleet-bucket.ts";
import { databaseAddress } from "./fleet-database.ts";
import { internalSection, internalSettings, type TakenPort } from "./fleet-internal.ts";

const NAME = "letters, digits, dots, dashes and underscores, at most 253";
const NAMED = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;
const name = z.string().regex(NAMED, { error: `expected ${NAME}` });

const LONGEST_REDIRECT_MS = 10 * 60_000;
/** The time of a signed address is counted in whole seconds. */
const SHORTEST_REDIRECT_MS = 1_000;

export const fleetSection = z
  .strictObject({
    node: name
      .optional()
      .describe(
        "The name of this node: the same after a restart, and no other node's. The machine's host name when left out.",
      ),
    zone: name.optional().describe("Nodes of one zone read from each other first."),
    database: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Address of the PostgreSQL database, such as postgres://granary:$" +
          "{PASSWORD}@db.lab/granary?sslmode=verify-full; or all of it as $" +
          "{DATABASE_URL}.",
      ),
    databaseFile: z.string().optional().describe("A file that holds that address."),
    bucket: bucketSection,
    internal: internalSection.optional(),
    redirect: z
      .union([z.literal(["off", false]), duration], { error: `expected off, or ${DURATION}` })
      .optional()
      .describe(
        "For how long a client of a public repository is sent to the bucket by a signed address: off, or 1s to 10m.",
      ),
  })
  .describe("What makes this Granary a node of a fleet, over one database and one bucket.");

/** `taken`: where this process listens already. Throws `config-invalid`. */
export async function fleetSettings(
  written: z.infer<typeof fleetSection> | undefined,
  files: NamedFiles,
  taken: readonly TakenPort[],
): Promise<FleetSettings | undefined> {
  if (written === undefined) return undefined;
  const { node, zone, redirect = 0 } = written;
  return {
    node: node ?? machineName(),
    zone,
    database: await databaseAddress(written, files),
    bucket: await bucketSettings(written.bucket, files),
    internal: await internalSettings(written.internal ?? {}, files, taken),
    redirectMs: redirectMs(redirect),
  };
}

function machineName(): string {
  const found = hostname();
  if (NAMED.test(found)) return found;
  throw new GranaryError(
    "config-invalid",
    `fleet.node: this machine's name is not of ${NAME}; name the node.`,
  );
}

function redirectMs(written: "off" | false | number): number {
  if (written === "off" || written === false || written === 0) return 0;
  if (written >= SHORTEST_REDIRECT_MS && written <= LONGEST_REDIRECT_MS) return written;
  throw new GranaryError("config-invalid", "fleet.redirect: expected off, or a time from 1s to 10m.");
}
