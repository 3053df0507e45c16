/** nginx with sendfile and two workers, serving the same files under the registry's paths: the yardstick for warm bytes. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { freePort } from "../../support/free-ports.ts";
import type { Content } from "../material.ts";
import { startChild } from "../support/children.ts";
import { findCommand } from "../support/find-command.ts";
import { linkOver } from "../support/link-over.ts";
import { untilAnswering } from "../support/until-answering.ts";
import type { Contender } from "./contender.ts";

export const nginx: Contender = {
  name: "nginx",
  missing: () => (findCommand("nginx") ? undefined : "nginx is not installed."),
  start: async (place) => {
    const port = await freePort();
    const root = layOut(place.directory, place.material.entries);
    const config = join(place.directory, "nginx.conf");
    writeFileSync(config, nginxConfiguration(place.directory, serverBlock(root, port)));
    const log = join(place.directory, "nginx.log");
    const args = ["-e", log, "-p", place.directory, "-c", config];
    const startLog = join(place.directory, "start.log");
    const child = startChild(findCommand("nginx") ?? "nginx", args, startLog, { enter: place.enter });
    await untilAnswering(port, place.material.manifestByTag, child, log);
    return { pid: child.pid, port, stop: child.stop };
  },
};

/** Links the files to where a registry serves them, and returns the root. */
export function layOut(directory: string, entries: readonly Content[]): string {
  const root = join(directory, "root");
  for (const entry of entries) {
    const file = join(root, entry.path);
    mkdirSync(dirname(file), { recursive: true });
    linkOver(entry.file, file);
  }
  return root;
}

function serverBlock(root: string, port: number): string {
  return `server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${root};
    location = /v2/ { return 200 "{}"; }
  }`;
}

/** A whole configuration with this server in it. */
export function nginxConfiguration(directory: string, server: string): string {
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `${user}
daemon off;
worker_processes 2;
pid ${directory}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  open_file_cache max=100;
  default_type application/octet-stream;
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
  ${server}
}
`;
}
