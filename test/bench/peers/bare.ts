/**
 * A bare `node:http` handler that gives Granary's small answers: the most that one thread of Node can do with the same headers and bodies. They
 * are taken from a Granary that is started for it once, so that they cannot drift apart.
 */
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { freePort } from "../../support/free-ports.ts";
import type { Material } from "../material.ts";
import { startChild } from "../support/children.ts";
import { untilAnswering } from "../support/until-answering.ts";
import { type BareAnswer, BY_NODE, NOT_MODIFIED } from "./bare-server.ts";
import type { Contender, Place } from "./contender.ts";
import { granary } from "./granary.ts";

/** `launcher`: path of granary.js. */
export function bare(launcher: string): Contender {
  return {
    name: "bare",
    missing: () => undefined,
    start: async (place) => {
      const answers = join(place.directory, "answers.json");
      writeFileSync(answers, JSON.stringify(await recordAnswers(launcher, place)));
      const port = await freePort();
      const log = join(place.directory, "bare.log");
      const args = [join(import.meta.dirname, "bare-server.ts"), answers, String(port)];
      const child = startChild(process.execPath, args, log, { enter: place.enter });
      child.stdout.resume();
      await untilAnswering(port, "/v2/", child, log);
      return { pid: child.pid, port, stop: child.stop };
    },
  };
}

async function recordAnswers(launcher: string, place: Place): Promise<Record<string, BareAnswer>> {
  const directory = join(place.directory, "recorded");
  mkdirSync(directory);
  const running = await granary(launcher).start({ ...place, directory });
  try {
    return await answersOf(running.port, place.material);
  } finally {
    await running.stop();
  }
}

async function answersOf(
  port: number,
  { manifest, manifestByTag }: Material,
): Promise<Record<string, BareAnswer>> {
  const answers: Record<string, BareAnswer> = {};
  for (const path of ["/v2/", manifestByTag, manifest.path]) {
    // The first one is fetched; how a stored one is answered is what counts.
    await ask(port, path, {});
    answers[path] = await ask(port, path, {});
    answers[NOT_MODIFIED + path] = await ask(port, path, { "if-none-match": `"${manifest.digest}"` });
  }
  return answers;
}

async function ask(port: number, path: string, headers: Record<string, string>): Promise<BareAnswer> {
  const request = get({ host: "127.0.0.1", port, path, headers: { accept: "*/*", ...headers } });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of response.setEncoding("utf8")) body += chunk;
  const raw = response.rawHeaders;
  const own = raw.filter((_, at) => !BY_NODE.has(raw[at - (at % 2)]?.toLowerCase() ?? ""));
  return { status: response.statusCode ?? 0, headers: own, body };
}
