/**
 * Owns the section `admin` of the configuration: where the admin face listens, and who may use it. The listener itself, and what is done
 * where no token is given, are the HTTP face's.
 */
import { z } from "zod";
import type { Environment } from "../../environment.ts";
import { GranaryError } from "../../errors.ts";
import { DEFAULT_ADMIN, parseAdminPlace } from "../admin-place.ts";
import { passwordFrom } from "../files.ts";
import type { AdminSettings } from "../settings.ts";

const KINDS = "expected off, or keys such as port and host";

export const adminSection = z.union(
  [
    z.literal(["off", false]),
    z.strictObject({
      port: z.int().min(0).max(65_535).optional().describe("TCP port."),
      host: z
        .string()
        .min(1)
        .optional()
        .describe("Address to listen on. On any other than a loopback address a token is asked for."),
      token: z
        .string()
        .optional()
        .describe(
          "Asked of everybody, on loopback too, at least 16 characters; write it as $" + "{ENV_NAME}.",
        ),
      tokenFile: z.string().optional().describe("A file that holds the token."),
      view: z
        .enum(["anyone", "token"])
        .optional()
        .describe("anyone: reading needs no token; what changes something still does."),
      hosts: z
        .array(z.string().regex(/^[A-Za-z0-9._-]+$/, "expected the name of a host, without a port"))
        .max(100)
        .optional()
        .describe("Names by which browsers come here, besides addresses and localhost."),
    }),
  ],
  { error: KINDS },
);

type AdminFile = z.infer<typeof adminSection>;

const SHORTEST_TOKEN = 16;

/**
 * undefined: there is no admin listener. Where `written` says nothing, $GRANARY_ADMIN does. Throws `config-invalid`, and never shows a
 * token.
 */
export async function adminSettings(
  written: AdminFile | undefined,
  { GRANARY_ADMIN }: Environment,
): Promise<AdminSettings | undefined> {
  if (written === "off" || written === false) return undefined;
  const isNamed = GRANARY_ADMIN !== undefined && GRANARY_ADMIN !== "";
  const place = isNamed ? parseAdminPlace(GRANARY_ADMIN, "$GRANARY_ADMIN") : DEFAULT_ADMIN;
  if (place === "off" && written === undefined) return undefined;
  const { token, tokenFile, ...rest } = written ?? {};
  const secret = await passwordFrom("admin", { password: token, passwordFile: tokenFile }, "token");
  return {
    port: rest.port ?? (place === "off" ? DEFAULT_ADMIN.port : place.port),
    host: rest.host ?? (place === "off" ? DEFAULT_ADMIN.host : place.host),
    view: rest.view ?? DEFAULT_ADMIN.view,
    hosts: (rest.hosts ?? DEFAULT_ADMIN.hosts).map((name) => name.toLowerCase()),
    token: secret === undefined ? undefined : checkedToken(secret),
    ...(tokenFile !== undefined && { tokenFile }),
  };
}

/** Something that a header and a cookie can carry, and that is not guessed by trying. */
function checkedToken(token: string): string {
  if (!/^[\x21-\x7e]*$/.test(token)) throw invalid("admin.token: a token has no spaces and only ASCII in it");
  if (token.length >= SHORTEST_TOKEN) return token;
  throw invalid(
    `admin.token: a token has at least ${SHORTEST_TOKEN} characters: take one from \`openssl rand -hex 32\``,
  );
}

function invalid(message: string): GranaryError {
  return new GranaryError("config-invalid", `${message}.`);
}
