/** nginx with sendfile, serving the same files under the registry's paths: the yardstick for warm bytes. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startChild } from "../support/children.ts";
import { findCommand } from "../support/find-command.ts";
import { linkOver } from "../support/link-over.ts";
import { freePort, untilAnswering } from "../support/ports.ts";
import type { Contender, Place } from "./contender.ts";

export const nginx: Contender = {
  name: "nginx",
  missing: () => (findCommand("nginx") ? undefined : "nginx is not installed."),
  start: async (place) => {
    const port = await freePort();
    const files = layOut(place);
    const config = join(place.directory, "nginx.conf");
    writeFileSync(config, configuration(place.directory, files, port));
    const log = join(place.directory, "nginx.log");
    const args = ["-e", log, "-p", place.directory, "-c", config];
    const child = startChild(findCommand("nginx") ?? "nginx", args, join(place.directory, "start.log"));
    await untilAnswering(port, place.material.manifestByTag, child, log);
    return { pid: child.pid, port, stop: child.stop };
  },
};

function layOut(place: Place): string {
  const root = join(place.directory, "root");
  for (const entry of place.material.entries) {
    const file = join(root, entry.path);
    mkdirSync(dirname(file), { recursive: true });
    linkOver(entry.file, file);
  }
  return root;
}

function configuration(directory: string, root: string, port: number): string {
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `${user}
daemon off;
worker_processes auto;
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
  server { listen 127.0.0.1:${port} backlog=1024; root ${root}; }
}
`;
}
