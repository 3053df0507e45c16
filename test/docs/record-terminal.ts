/**
 * Records docs/pictures/terminal.svg: a real Granary and real commands in real terminals (tmux), against the fake registry behind a
 * slow line on this machine. Run it when what a terminal shows has changed: `npx node test/docs/record-terminal.ts`. No word of the
 * picture is written here, but the commands.
 */
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { startFakeRegistry } from "../support/fake-registry.ts";
import { addModel, modelOf } from "../support/models.ts";
import { SlowLine } from "../support/slow-line.ts";
import { ROOT } from "./markdown.ts";
import { pictureOf, type Screen } from "./terminal-picture.ts";

const COLUMNS = 116;
const ROWS = 40;
const MODEL_BYTES = 120_000_000;
/** Bytes per second: the line of a small office. */
const LINE_RATE = 5_000_000;
const LONGEST_MS = 120_000;

const fake = await startFakeRegistry({ mode: "plain" });
addModel(fake, "library/gemma", "2b", { layers: [modelOf(1, MODEL_BYTES), ["license", "Apache-2.0"]] });
const line = new SlowLine({ rate: LINE_RATE, delayMs: 40 });
const [host = "", port = ""] = fake.host.split(":");
const front = await line.front({ host, port: Number(port) });
const home = await mkdtemp(join(tmpdir(), "granary-recording-"));

try {
  await furnish();
  const server = openTerminal("server");
  await server.until(/\$ $/);
  server.type("granary serve --config granary.yaml");
  await server.until(/Stop it with Ctrl-C/);
  const started = server.lines();
  const client = openTerminal("client");
  await client.until(/\$ $/);
  for (const command of [
    "time granary model fetch gemma:2b gemma.gguf --via http://localhost:11435",
    "time granary model fetch gemma:2b again.gguf --via http://localhost:11435",
    "curl -s http://localhost:11435/metrics | grep -E '^granary_(client|upstream)_bytes_total.*blob.* [1-9]'",
  ]) {
    client.type(command);
    await client.until(/\$ $/);
  }
  // A closed terminal does not end a server: SIGHUP makes it read its certificates again.
  server.type("C-c");
  await server.until(/\$ $/);
  const screens = [
    { title: "the machine that runs Granary", lines: started },
    { title: "a machine of the lab", lines: client.lines().slice(0, -1) },
  ];
  const description =
    "A model is fetched twice through Granary: first at the speed of the line, then from its disk.";
  await writeFile(join(ROOT, "docs/pictures/terminal.svg"), pictureOf(screens, COLUMNS, description));
} finally {
  tmux("kill-server");
  await rm(home, { recursive: true, force: true });
}
// The registry and the line end with this process.
process.exit();

/** What the terminals find: `granary` as a command, and a configuration in which the Ollama registry is the one behind the line. */
async function furnish(): Promise<void> {
  const endpoints = [`http://${front.host}:${front.port}`];
  const upstreams = { "registry.ollama.ai": { endpoints, internal: true } };
  const listeners = [
    { port: 5000, host: "127.0.0.1", upstream: "docker.io" },
    { port: 11435, host: "127.0.0.1", upstream: "registry.ollama.ai" },
  ];
  await writeFile(join(home, "granary.yaml"), stringify({ listeners, upstreams }));
  await mkdir(join(home, "bin"));
  const command = join(home, "bin/granary");
  await writeFile(command, `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, "src/cli/granary.js")} "$@"\n`);
  await chmod(command, 0o755);
  await writeFile(
    join(home, "rc"),
    `PS1='$ '; PATH=${home}/bin:$PATH; TIMEFORMAT='%1R s'; cd ${home}; clear\n`,
  );
}

type Terminal = {
  type(command: string): void;
  /** Waits until the screen shows it. */
  until(wanted: RegExp): Promise<void>;
  /** With colours, as far down as there is something. */
  lines(): Screen["lines"];
};

function openTerminal(name: string): Terminal {
  const size = ["-x", String(COLUMNS), "-y", String(ROWS)];
  tmux(
    "new-session",
    "-d",
    "-s",
    name,
    ...size,
    `env -i HOME=${home} TERM=xterm-256color PATH=$PATH bash --rcfile ${home}/rc`,
  );
  const plain = () => tmux("capture-pane", "-p", "-t", name).trimEnd();
  return {
    type: (command) => tmux("send-keys", "-t", name, command, ...(command === "C-c" ? [] : ["Enter"])),
    async until(wanted) {
      const end = performance.now() + LONGEST_MS;
      // The prompt of before is on the screen until the shell has taken the command.
      await sleep(500);
      while (!wanted.test(`${plain().replace(/\$$/, "$ ")}`)) {
        if (performance.now() > end) throw new Error(`${name} shows no ${wanted}:\n${plain()}`);
        await sleep(100);
      }
    },
    lines: () => tmux("capture-pane", "-e", "-p", "-t", name).trimEnd().split("\n"),
  };
}

/** Terminals of its own: no other tmux of this machine is touched. */
function tmux(...words: string[]): string {
  return execFileSync("tmux", ["-L", "granary-recording", "-f", "/dev/null", ...words], { encoding: "utf8" });
}
