/** Owns where the admin face listens: by default, and as a person writes it in one word. */
import { GranaryError } from "../errors.ts";

export const DEFAULT_ADMIN = { port: 5080, host: "127.0.0.1", view: "token", hosts: [] } as const;

/** "off", "5080", "0.0.0.0:5080", "[::]:5080"; `what` names the text in the error. Throws `config-invalid`. */
export function parseAdminPlace(
  text: string,
  what: string,
): "off" | { readonly port: number; readonly host: string } {
  if (text === "off") return "off";
  const [, six, four, digits = ""] =
    /^(?:(?:\[([0-9A-Fa-f:.%\w]+)\]|([\w.-]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = digits === "" ? Number.NaN : Number(digits);
  if (port <= 65_535) return { port, host: six ?? four ?? DEFAULT_ADMIN.host };
  const taken = "a port, an address with a port such as 0.0.0.0:5080, or off";
  throw new GranaryError("config-invalid", `${what} takes ${taken}, not "${text}".`);
}
