/**
 * Owns the Granary that a command asks where nobody said which one, and none runs in the directory of the settings: the one whose admin face
 * is where it is without settings, on this machine. A token is sent only to what has answered as a Granary, and with no question that is
 * answered without.
 */
import { DEFAULT_ADMIN, parseAdminPlace } from "../../config/admin-place.ts";
import type { Environment } from "../../environment.ts";
import { isGranaryError } from "../../errors.ts";
import { AdminClient } from "./admin-client.ts";
import { urlWay } from "./ways.ts";

const statusSchema = async () => (await import("../../http/admin/routes/status-routes.ts")).statusSchema;

/** A program that takes a connection and says nothing is no reason to wait longer. */
const TIMEOUT_MS = 10_000;

/**
 * undefined where nothing answers there, or what answers is no Granary. `token` throws what is wrong with the token. $GRANARY_ADMIN says the port, or off. Throws `config-invalid` for one that cannot be read.
 */
export async function usualServer(
  { GRANARY_ADMIN }: Environment,
  token: () => Promise<string | undefined>,
): Promise<AdminClient | undefined> {
  const isNamed = GRANARY_ADMIN !== undefined && GRANARY_ADMIN !== "";
  const place = isNamed ? parseAdminPlace(GRANARY_ADMIN, "$GRANARY_ADMIN") : DEFAULT_ADMIN;
  if (place === "off" || place.port === 0) return undefined;
  // Never another machine: nobody named one.
  const url = new URL(`http://127.0.0.1:${place.port}`);
  const plain = urlWay(url, undefined);
  const answer = await answerOf(new AdminClient(plain));
  if (answer === "nobody") return undefined;
  const way = urlWay(url, await token());
  // Where reading is open to anyone (`admin.view`), what changes something still needs the token.
  const wayFor = (method: string) => (answer === "open" && method === "GET" ? plain : way);
  return new AdminClient({ ...way, send: (method, ...rest) => wayFor(method).send(method, ...rest) });
}

/** Its first answer, without a token. */
async function answerOf(client: AdminClient): Promise<"nobody" | "open" | "asks for a token"> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    await client.ask(statusSchema, { method: "GET", path: "/api/v1/status", signal });
    return "open";
  } catch (error) {
    return isGranaryError(error, "unauthorized") ? "asks for a token" : "nobody";
  }
}
