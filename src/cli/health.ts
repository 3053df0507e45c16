/**
 * Owns `granary health`: asks a running Granary whether it is ready, at an address or where its configuration says that it listens. For
 * people, scripts and container health checks. It needs no login: /readyz asks for none.
 */
import { X509Certificate } from "node:crypto";
import { get, type IncomingMessage, type RequestOptions } from "node:http";
import { get as getTls } from "node:https";
import { TLSSocket } from "node:tls";
import { Command } from "commander";
import { readCertificates } from "../config/files.ts";
import { findConfig } from "../config/find-config.ts";
import type { ListenerPlace } from "../config/load.ts";
import { GranaryError } from "../errors.ts";
import { plainWords } from "../oci/error-body.ts";
import { parseJsonObject, textOf } from "../oci/json-value.ts";
import { tlsProblem } from "../upstream/network/transport-error.ts";
import { secureContextOf } from "../upstream/network/trust.ts";
import { printJson, printLine } from "./output.ts";

/** Below the five seconds after which health checks of containers are given up: the sentence should still come out. */
const TIMEOUT_MS = 4_000;

type HealthFlags = {
  readonly url?: string;
  readonly config?: string;
  readonly caFile?: string;
  readonly json?: boolean;
};

/** What is asked, and what its certificate must be. */
type Asked = {
  readonly url: URL;
  readonly shown: string;
  readonly tls: RequestOptions & { readonly [option: string]: unknown };
  /** A sentence when the certificate is another than the configured one. */
  readonly check: (socket: TLSSocket) => string | undefined;
};

export function healthCommand(): Command {
  return new Command("health")
    .description("Ask a running Granary whether it is ready; exit code 0 when it is, 1 when it is not.")
    .option("--url <url>", "any listener of it; wins over the configuration")
    .option("--ca-file <file>", "with an https --url: a PEM file with the certificate authority")
    .option(
      "-c, --config <file>",
      "the configuration that it runs with: its first listener is asked (default: where serve looks)",
    )
    .option("--json", "print the answer as JSON")
    .action(async (flags: HealthFlags) => {
      const asked = await askedBy(flags);
      const { status, troubles } = await readinessOf(asked);
      const { shown: url } = asked;
      const isReady = status === 200;
      if (flags.json === true)
        printJson({ url, status, ready: isReady, ...(troubles.length > 0 && { troubles }) });
      else printLine(sentenceOf(url, status, troubles));
      process.exitCode = isReady ? 0 : 1;
    });
}

function sentenceOf(url: string, status: number, troubles: readonly string[]): string {
  const why = troubles.map((trouble) => trouble.replace(/[.\s]+$/, "")).join("; ");
  if (status !== 200) return `Granary at ${url} is not ready: it answers ${status}${why && `, ${why}`}.`;
  return why === "" ? `Granary at ${url} is ready.` : `Granary at ${url} is ready, with trouble: ${why}.`;
}

async function askedBy({ url, config, caFile }: HealthFlags): Promise<Asked> {
  if (url === undefined) {
    const { loadPlace } = await import("../config/load.ts");
    return atPlace(await loadPlace(await findConfig(config, process.env), process.env));
  }
  const { protocol = "" } = URL.parse(url) ?? {};
  if (!/^https?:$/.test(protocol)) {
    throw new GranaryError("reference-invalid", `"${url}" is not a URL such as http://127.0.0.1:5000.`);
  }
  const ca = caFile === undefined ? undefined : await readCertificates(caFile, "--ca-file");
  // Only for https: what the system trusts takes thirty milliseconds to read.
  const tls =
    protocol === "https:" ? { secureContext: secureContextOf(ca === undefined ? undefined : { ca }) } : {};
  return { url: new URL("/readyz", url), shown: url, tls, check: () => undefined };
}

/**
 * On this machine, by its address: no name stands in the certificate for that, so exactly the configured certificate is trusted, whoever
 * signed it.
 */
function atPlace({ port, host, certificate }: ListenerPlace): Asked {
  const scheme = certificate === undefined ? "http" : "https";
  const url = new URL("/readyz", `${scheme}://${loopbackOf(host)}:${port}`);
  const check = (socket: TLSSocket) => {
    const shown = socket.getPeerX509Certificate()?.fingerprint256;
    if (certificate === undefined || shown === new X509Certificate(certificate).fingerprint256)
      return undefined;
    return "it shows another certificate than its configuration names; send it SIGHUP if that was renewed";
  };
  return { url, shown: url.origin, tls: { rejectUnauthorized: false }, check };
}

/** Who listens everywhere listens on the loopback address too. */
function loopbackOf(host: string | undefined): string {
  if (host === undefined || host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host.replace(/[[\]]/g, "")}]` : host;
}

type Readiness = {
  /** Of the answer of `/readyz`. */
  readonly status: number;
  /** What it says is wrong, in words that may be shown. */
  readonly troubles: readonly string[];
};

const MOST_BYTES = 64 * 1024;

async function readinessOf(asked: Asked): Promise<Readiness> {
  const response = await answerOf(asked);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MOST_BYTES) break;
    }
  } catch {
    // The status tells enough.
  }
  const troubles = parseJsonObject(Buffer.concat(chunks))?.troubles;
  const told = Array.isArray(troubles) ? troubles.flatMap((trouble) => textOf(trouble) ?? []) : [];
  return { status: response.statusCode ?? 0, troubles: told.map(plainWords) };
}

function answerOf({ url, tls, check }: Asked): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = { timeout: TIMEOUT_MS, agent: false };
    const request = url.protocol === "https:" ? getTls(url, { ...options, ...tls }) : get(url, options);
    request.on("response", resolve);
    request.on("socket", (socket) => {
      socket.once("secureConnect", () => {
        const problem = socket instanceof TLSSocket ? check(socket) : undefined;
        if (problem !== undefined) request.destroy(new Error(problem));
      });
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    request.on("error", (error) => reject(unanswered(url, error)));
  });
}

function unanswered(url: URL, error: Error): GranaryError {
  const code = "code" in error ? String(error.code) : "";
  const problem = tlsProblem(code, url);
  const facts = { cause: error, ...(problem !== undefined && { saysWhatToDo: true }) };
  return new GranaryError(
    "upstream-unavailable",
    `${url.origin} gives no answer: ${problem ?? error.message}.`,
    facts,
  );
}
