/** Owns the section `proxy` of the configuration: where the intercepting proxy listens, and what it tunnels to. */
import { z } from "zod";
import { GranaryError } from "../../errors.ts";
import { isTunnelEntry } from "../../routing/tunnel-rules.ts";
import type { ProxySettings } from "../settings.ts";

const DEFAULT_PROXY_PORT = 3128;

export const proxySection = z
  .strictObject({
    port: z.int().min(0).max(65_535).optional().describe("TCP port; 3128 when left out."),
    host: z.string().min(1).optional().describe("Address to listen on; all of them when left out."),
    tunnel: z
      .union([z.enum(["none", "any"]), z.array(z.string().min(1))], {
        error:
          "expected none, any, or a list of hosts such as example.com, *.example.com or example.com:8443",
      })
      .optional()
      .describe(
        "Other hosts than upstreams: none is refused them all, any tunnels to port 443 of every public address, and a list names the hosts (example.com, *.example.com, example.com:8443).",
      ),
  })
  .describe(
    "A proxy for HTTPS_PROXY of clients: pulls by the registries' own names are answered by the cache. Clients must trust its authority (granary ca).",
  );

/** Throws `config-invalid` for an entry of `tunnel` that is no host, and for a port that another listener has. */
export function proxySettings(
  written: z.infer<typeof proxySection> | undefined,
  taken: readonly { readonly key: string; readonly port: number; readonly host: string | undefined }[],
): ProxySettings | undefined {
  if (written === undefined) return undefined;
  const { port = DEFAULT_PROXY_PORT, host, tunnel = "none" } = written;
  const other = port === 0 ? undefined : taken.find((each) => each.port === port && clash(each.host, host));
  if (other !== undefined)
    throw invalid(`proxy.port: ${port} is the port of ${other.key} too; give one of them another port`);
  const wrong = typeof tunnel === "string" ? undefined : tunnel.find((entry) => !isTunnelEntry(entry));
  if (wrong !== undefined)
    throw invalid(
      `proxy.tunnel: "${wrong.slice(0, 100)}" is no host; write example.com, *.example.com or example.com:8443`,
    );
  return { port, host, tunnel };
}

/** A listener without a host has the port at every address. */
function clash(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}

function invalid(sentence: string): GranaryError {
  return new GranaryError("config-invalid", `${sentence}.`);
}
