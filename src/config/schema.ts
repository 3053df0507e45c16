/**
 * Owns the schema of the configuration file: its keys, what is allowed in each, and the descriptions in `config/granary.schema.json`
 * (docs/configuration.md lists the same keys). Parsing gives plain values; load.ts fills in the defaults.
 */
import { z } from "zod";
import { adminSection } from "./sections/admin.ts";
import { bandwidthSection } from "./sections/bandwidth.ts";
import { fleetSection } from "./sections/fleet.ts";
import { keepSection } from "./sections/keep.ts";
import { passageKeys } from "./sections/passage.ts";
import { prefetchSection } from "./sections/prefetch.ts";
import { proxySection } from "./sections/proxy.ts";
import { resolverSection } from "./sections/resolver.ts";
import { trafficSection } from "./sections/traffic.ts";
import { verifySection } from "./sections/verify.ts";
import { warmSection } from "./sections/warm.ts";
import { DURATION, duration, SIZE, size } from "./units.ts";

const FROM_ENV = "write it as $" + "{ENV_NAME}";

const count = z.int().min(1).max(64);
const connections = z.int().min(1).max(1_000_000);

const policyKeys = {
  tagLifetime: duration.describe(`How long a tag is believed before one HEAD asks again: ${DURATION}.`),
  negativeLifetime: duration.describe(`How long "not found" is believed; 0 switches it off: ${DURATION}.`),
  offlineDeadline: duration.describe(
    `Longest wait for the upstream when a stored tag could be served: ${DURATION}.`,
  ),
  lanes: count.describe("Connections to the upstream that one blob may use at once."),
  smallBlob: size.describe(`Blobs up to this size use one connection: ${SIZE}.`),
  firstSegment: size.describe(`First request of a connection that starts somewhere new: ${SIZE}.`),
  largestSegment: size.describe(`Largest single request: ${SIZE}.`),
  stall: duration.describe(`No byte for this long ends a request, which is then resumed: ${DURATION}.`),
  headers: duration.describe(`Longest wait for an answer to begin: ${DURATION}.`),
  connect: duration.describe(`Longest wait for a connection: ${DURATION}.`),
  attempts: count.describe(
    "Failures in a row without progress after which a transfer is given up (it stays resumable).",
  ),
  outage: duration.describe(
    `A transfer that has begun waits at least this long for an upstream that is away: ${DURATION}.`,
  ),
  linger: duration.describe(`How long a transfer goes on after its last client left: ${DURATION}.`),
  finish: z.boolean().describe("Finish every transfer that was begun, whoever leaves."),
  starve: duration.describe(
    `Every waiting client gets a byte within this while the upstream delivers: ${DURATION}.`,
  ),
  rateLimitedStatus: z
    .literal([429, 503, 404])
    .describe("What clients hear when the upstream limits us and nothing is stored."),
  privateContent: z
    .enum(["refuse", "share"])
    .describe(
      "Content that only the credentials below can read: refuse it to clients without a login, or share it with all.",
    ),
};

const login = z.strictObject({
  username: z.string().min(1).describe("The user name that clients must give."),
  password: z.string().min(1).optional().describe(`The password; ${FROM_ENV}.`),
  passwordFile: z.string().optional().describe("A file that holds the password."),
});

const listener = z.strictObject({
  port: z.int().min(0).max(65_535).describe("TCP port."),
  host: z.string().min(1).optional().describe("Address to listen on; all of them when left out."),
  upstream: z
    .string()
    .min(1)
    .describe("The upstream that a request means when it names none, such as docker.io."),
  login: login
    .optional()
    .describe("Ask every client for this login. Docker up to 28 then offers its Docker Hub login!"),
  certFile: z.string().optional().describe("PEM file with the certificate: the listener then speaks https."),
  keyFile: z.string().optional().describe("PEM file with the certificate's key."),
  tlsFromCa: z
    .boolean()
    .optional()
    .describe(
      "The listener speaks https as the registries themselves, with certificates of Granary's own authority: for networks whose DNS leads their names here. The name that a client asks for counts then.",
    ),
});

const upstream = z
  .strictObject({
    endpoints: z
      .array(z.url({ protocol: /^https?$/ }))
      .min(1)
      .optional()
      .describe(
        "Base URLs, tried in order. What follows /v2 in one is put before every repository name there: https://harbor.lab/v2/hub-proxy.",
      ),
    aliases: z.array(z.string().min(1)).optional().describe("Other names that mean this upstream."),
    username: z.string().min(1).optional().describe(`The user name; if it is a secret, ${FROM_ENV}.`),
    password: z.string().min(1).optional().describe(`The password or token; ${FROM_ENV}.`),
    passwordFile: z.string().optional().describe("A file that holds the password."),
    credentials: z
      .literal("docker-config", { error: 'expected "docker-config", or username and password' })
      .optional()
      .describe(
        "docker-config: the logins of docker and podman on this machine, read at use time ($REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json, ~/.docker/config.json and its helpers); in place of username and password. An endpoint under another name than the upstream gets only the login for its own host.",
      ),
    realms: z
      .array(z.string().min(1))
      .optional()
      .describe("Other hosts whose token service may see the credentials."),
    internal: z.boolean().optional().describe("Allow private and loopback addresses for this upstream."),
    caFile: z.string().optional().describe("PEM file with an extra certificate authority."),
    clientCertFile: z.string().optional().describe("PEM file with a client certificate."),
    clientKeyFile: z.string().optional().describe("PEM file with the client certificate's key."),
    names: z.enum(["oci", "hub", "ollama"]).optional().describe("Which repository names are legal there."),
    forwardUserAgent: z.boolean().optional().describe("Ask for manifests with the client's User-Agent."),
    ...optional(policyKeys),
    ...passageKeys(duration),
  })
  .nullable();

/** The whole file. Every object is strict: an unknown key is an error, not a silent default. */
export const fileSchema = z.strictObject({
  listeners: z.array(listener).min(1).optional().describe("Where clients come in."),
  storage: z
    .strictObject({
      directory: z.string().min(1).optional().describe("Where blobs, partial blobs and the database live."),
      maxSize: size.optional().describe(`The budget; least recently used goes first: ${SIZE}.`),
      minFree: size.optional().describe(`What stays free on the disk whatever the budget says: ${SIZE}.`),
      verifyEvery: z
        .union([z.literal("never"), duration], { error: `expected never, or ${DURATION}` })
        .optional()
        .describe(
          `Within which each stored blob is hashed again, in the background; never switches it off: ${DURATION}.`,
        ),
    })
    .optional(),
  upstreams: z
    .record(z.string().min(1), upstream)
    .optional()
    .describe("Registries by name, beside the built-in ones."),
  keep: keepSection.optional(),
  bandwidth: bandwidthSection.optional(),
  traffic: trafficSection.optional(),
  admin: adminSection
    .optional()
    .describe("Where people and commands see and steer this Granary; off switches that listener off."),
  warm: warmSection.optional(),
  prefetch: prefetchSection.optional(),
  verify: verifySection.optional(),
  fleet: fleetSection.optional(),
  proxy: proxySection.optional(),
  resolver: resolverSection.optional(),
  clients: z
    .strictObject({
      maxConnections: connections
        .optional()
        .describe("Connections that all clients together may have; more are told to come back (503)."),
      maxConnectionsPerAddress: connections
        .optional()
        .describe("Those of one address (of one /64 network where it is IPv6); a whole lab may share one."),
      stall: duration
        .optional()
        .describe(
          `A client that takes not a byte of what it asked for, for this long, is let go: ${DURATION}.`,
        ),
      sendfile: z
        .boolean()
        .optional()
        .describe(
          "Have the system send blobs straight from their files, where it can; false copies every byte through memory.",
        ),
    })
    .optional()
    .describe("What clients may take."),
  drain: duration
    .optional()
    .describe(`How long transfers in flight may go on when the process is stopped: ${DURATION}.`),
  log: z
    .strictObject({
      level: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).optional(),
      format: z
        .enum(["auto", "pretty", "json"])
        .optional()
        .describe("auto: pretty on a terminal, JSON otherwise."),
    })
    .optional(),
});

export type ConfigFile = z.infer<typeof fileSchema>;

/** The schema that editors use. Sizes and durations are what people write, not what they become. */
export function jsonSchema(): unknown {
  return z.toJSONSchema(fileSchema, { io: "input" });
}

function optional<Shape extends Record<string, z.ZodType>>(
  shape: Shape,
): { [Key in keyof Shape]: z.ZodOptional<Shape[Key]> } {
  return Object.fromEntries(Object.entries(shape).map(([key, type]) => [key, type.optional()])) as {
    [Key in keyof Shape]: z.ZodOptional<Shape[Key]>;
  };
}
