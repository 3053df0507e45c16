/**
 * Owns what can be seen of a listener from outside, as a client sees it: whether anything answers, whether that is a Granary, whether it
 * asks for a login, and whether its certificate is known. It logs in nowhere and follows nothing.
 */
import { X509Certificate } from "node:crypto";
import { get, type IncomingMessage, type RequestOptions } from "node:http";
import { get as getTls } from "node:https";
import { TLSSocket } from "node:tls";
import { parseJsonObject, textOf } from "../oci/json-value.ts";
import { tlsProblem } from "../upstream/network/transport-error.ts";
import { secureContextOf } from "../upstream/network/trust.ts";

export type Probed =
  | {
      readonly is: "granary";
      readonly wantsLogin: boolean;
      /** What it says is wrong with it. */
      readonly troubles: readonly string[];
    }
  /** Nothing accepts a connection. */
  | { readonly is: "closed"; readonly why: string }
  /** Something answers, and not as a Granary does. */
  | { readonly is: "stranger"; readonly why: string }
  /** Clients refuse its certificate, or one side speaks TLS and the other does not. */
  | { readonly is: "untrusted"; readonly why: string };

export type ProbeOptions = {
  /** PEM text of an authority to trust besides those of the system. */
  readonly ca?: string | undefined;
  /** PEM text of the one certificate that must come, whoever signed it and whatever names stand in it. */
  readonly certificate?: string | undefined;
  readonly timeoutMs?: number;
};

const TIMEOUT_MS = 5_000;
/** More than the metrics of a server with many upstreams. */
const MOST_BYTES = 1024 * 1024;

/** `origin` is scheme, host and port. Never throws. */
export async function probeListener(origin: string, options: ProbeOptions = {}): Promise<Probed> {
  try {
    const ready = await answerOf(new URL("/readyz", origin), options);
    const base = await answerOf(new URL("/v2/", origin), options);
    const said = parseJsonObject(Buffer.from(ready.text));
    const status = textOf(said?.status);
    const isGranary = status !== undefined && ["ready", "degraded", "not ready"].includes(status);
    if (!isGranary || ![200, 401].includes(base.status))
      return { is: "stranger", why: `another program answers there (${base.status})` };
    const troubles = Array.isArray(said?.troubles) ? said.troubles : [];
    return {
      is: "granary",
      wantsLogin: base.status === 401,
      troubles: troubles.filter((each) => typeof each === "string"),
    };
  } catch (error) {
    return unanswered(new URL(origin), error);
  }
}

export type Answer = { readonly status: number; readonly text: string };

/** One GET, at most MOST_BYTES of its body. Throws what went wrong on the way. */
export async function answerOf(url: URL, options: ProbeOptions): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const signal = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
    const request =
      url.protocol === "https:"
        ? getTls(url, { ...tlsOptions(options), agent: false, signal })
        : get(url, { agent: false, signal });
    request.on("response", resolve).on("error", reject);
    request.on("socket", (socket) => {
      socket.once("secureConnect", () => {
        if (socket instanceof TLSSocket && !isExpected(socket, options))
          request.destroy(new WrongCertificate());
      });
    });
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MOST_BYTES) break;
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") };
}

function tlsOptions({
  ca,
  certificate,
}: ProbeOptions): RequestOptions & { readonly [option: string]: unknown } {
  if (certificate !== undefined) return { rejectUnauthorized: false };
  return { secureContext: secureContextOf(ca === undefined ? undefined : { ca }) };
}

function isExpected(socket: TLSSocket, { certificate }: ProbeOptions): boolean {
  if (certificate === undefined) return true;
  return socket.getPeerX509Certificate()?.fingerprint256 === new X509Certificate(certificate).fingerprint256;
}

class WrongCertificate extends Error {}

/** Codes of a connection that was not made. */
const CLOSED: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there (the connection is refused)",
  EHOSTUNREACH: "there is no route to that host",
  ENETUNREACH: "there is no route to that network",
  ENOTFOUND: "that name does not resolve",
  EAI_AGAIN: "the name server does not answer",
  ABORT_ERR: "no answer comes, as when a firewall drops what is sent there",
  ETIMEDOUT: "no answer comes, as when a firewall drops what is sent there",
};

function unanswered(url: URL, error: unknown): Probed {
  if (error instanceof WrongCertificate)
    return { is: "untrusted", why: "it shows another certificate than the settings name" };
  const code = codeOf(error);
  const tls = tlsProblem(code, url);
  if (tls !== undefined || code === "EPROTO") return { is: "untrusted", why: tls ?? "it does not speak TLS" };
  const why = CLOSED[code];
  if (why !== undefined) return { is: "closed", why };
  return {
    is: "stranger",
    why:
      url.protocol === "http:"
        ? "it does not answer in plain http; perhaps it speaks https"
        : `the exchange failed (${code})`,
  };
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  if (!(error instanceof Error)) return "";
  if (error.name === "AbortError" || error.name === "TimeoutError") return "ABORT_ERR";
  return "code" in error && typeof error.code === "string" ? error.code : codeOf(error.cause);
}
