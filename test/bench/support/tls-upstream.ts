/**
 * Owns the upstream that speaks TLS: nginx over the same files, in a registry's manner, with a certificate of an authority made for this run.
 * It does not count what it sends. Two workers, since each byte costs it some of the processor.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../support/free-ports.ts";
import type { Material } from "../material.ts";
import { layOut, nginxConfiguration } from "../peers/nginx.ts";
import { runCommand, startChild } from "./children.ts";
import { findCommand } from "./find-command.ts";
import type { UpstreamAddress } from "./upstream.ts";

/** Undefined where nginx or openssl is not installed. The caller stops it. */
export async function startTlsUpstream(
  material: Material,
  parent: string,
): Promise<(UpstreamAddress & { readonly pid: number; readonly stop: () => Promise<void> }) | undefined> {
  const program = findCommand("nginx");
  if (!program || !findCommand("openssl")) return undefined;
  const directory = join(parent, "tls-upstream");
  mkdirSync(directory, { recursive: true });
  const { certificate, key } = await makeCertificate(directory);
  const port = await freePort();
  const root = layOut(directory, material.entries);
  const config = join(directory, "nginx.conf");
  writeFileSync(config, nginxConfiguration(directory, serverBlock(root, port, certificate, key)));
  const log = join(directory, "nginx.log");
  const child = startChild(program, ["-e", log, "-p", directory, "-c", config], join(directory, "start.log"));
  const url = `https://127.0.0.1:${port}`;
  const patience = ["--retry", "40", "--retry-delay", "0", "--retry-max-time", "20", "--retry-connrefused"];
  await runCommand("curl", ["--silent", "--fail", "--cacert", certificate, ...patience, `${url}/v2/`]);
  return { url, caFile: certificate, pid: child.pid, stop: child.stop };
}

/** One that vouches for itself: authority and server in one. */
async function makeCertificate(directory: string): Promise<{ certificate: string; key: string }> {
  const [certificate, key] = [join(directory, "certificate.pem"), join(directory, "key.pem")];
  await runCommand("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=granary bench", "-addext", "subjectAltName=IP:127.0.0.1"],
    ...["-keyout", key, "-out", certificate],
  ]);
  return { certificate, key };
}

function serverBlock(root: string, port: number, certificate: string, key: string): string {
  return `server {
    listen 127.0.0.1:${port} ssl backlog=4096;
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    root ${root};
    etag off;
    add_header Docker-Distribution-Api-Version registry/2.0 always;
    location = /v2/ { return 200 "{}"; }
    location ~ /(sha256:[0-9a-f]+)$ {
      add_header Docker-Content-Digest $1;
      add_header ETag '"$1"';
    }
  }`;
}
