/**
 * Owns the opening of an image that a Docker engine holds. The engine knows no ranges and may pack the image for minutes, so it
 * is saved once, to a nameless temporary file, and read from there as an archive.
 */
import { GranaryError } from "../../errors.ts";
import { formatReference, parseReference } from "../../oci/reference.ts";
import {
  askEngine,
  complaintOf,
  type EngineAddress,
  type EngineAnswer,
  engineAddress,
  formatEngineAddress,
} from "./docker-engine.ts";
import { type OpenedArchive, openImageIn } from "./open-archive.ts";
import { openTar } from "./tar-files.ts";
import { type TemporaryOptions, temporaryFile } from "./temporary-file.ts";

export type EngineOptions = TemporaryOptions & {
  /** Path of its socket, `unix://PATH` or `tcp://HOST:PORT` (plain). By default DOCKER_HOST, else /var/run/docker.sock. */
  readonly socket?: string;
  /** By default this process's. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
};

const ID = /^(?:sha256:)?[0-9a-f]{12,64}$/;

/**
 * Opens the image `name` (or with that ID) of a Docker engine. Throws `reference-invalid`, `config-invalid` (where the engine is
 * cannot be used), `not-found` (it has no such image), `denied`, `upstream-unavailable` (no engine there, or it failed),
 * `store-full`, `aborted`, and what openArchive throws.
 */
export async function openEngineImage(name: string, options: EngineOptions = {}): Promise<OpenedArchive> {
  const address = engineAddress(options.socket, options.environment ?? process.env);
  // A bare repository means all of its tags to an engine; an ID is no reference.
  const wanted = ID.test(name) ? name : formatReference(parseReference(name));
  await requireImage(address, wanted, options);
  const answer = await askEngine(address, `/images/${wanted}/get`, options.signal);
  if (answer.status !== 200) throw await refusal(answer, address, wanted);
  const file = await temporaryFile(answer.body, options);
  return await openImageIn(await openTar(file, `docker-daemon:${wanted}`, options), options);
}

/** Engines answer 500 to the saving of an ID that they do not have; to this they answer 404. */
async function requireImage(
  address: EngineAddress,
  wanted: string,
  { signal }: EngineOptions,
): Promise<void> {
  const answer = await askEngine(address, `/images/${wanted}/json`, signal);
  if (answer.status !== 200) throw await refusal(answer, address, wanted);
  for await (const _ of answer.body); // Read to its end, which frees the connection.
}

async function refusal(answer: EngineAnswer, address: EngineAddress, wanted: string): Promise<GranaryError> {
  const place = formatEngineAddress(address);
  const complaint = await complaintOf(answer);
  const facts = { target: wanted, upstreamStatus: answer.status };
  const said = complaint === "" ? "" : `: ${complaint}`;
  if (answer.status === 404) {
    const why = said === "" || isNoSuchImage(complaint) ? "" : ` It says${said.replace(/\.$/, "")}.`;
    const message = `The Docker engine at ${place} has no image ${wanted}: "docker images" lists what it has.${why}`;
    return new GranaryError("not-found", message, facts);
  }
  const message = `The Docker engine at ${place} answered ${answer.status} for ${wanted}${said}`;
  return new GranaryError("upstream-unavailable", message, facts);
}

/** The engine's usual words for a 404 repeat ours. Others are of a path, a proxy or an engine that is none. */
function isNoSuchImage(complaint: string): boolean {
  return /^no such image\b/i.test(complaint);
}
