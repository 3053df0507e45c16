/**
 * Owns the proof of the good case: a small image is pulled by the client, and the server's own counts say whether that came through it. The
 * image is taken out of the client again where it was not there before.
 */
import { formatBytes } from "../bytes/units.ts";
import type { ClientCheck, ClientContext } from "./client-check.ts";
import { type Observation, says } from "./observation.ts";

/** What a server has answered so far: of the image where it keeps pulls, else of its whole registry. */
export type Served = {
  readonly requests: number;
  readonly bytes: number;
  /** Of the whole registry, looks included, where `requests` are of the image alone. */
  readonly looks?: number | undefined;
};

/** Undefined where the server does not tell. */
export type CountServed = () => Promise<Served | undefined>;

export type PullProof = {
  readonly count: CountServed;
  readonly pause: (ms: number) => Promise<void>;
  /** Why Granary does not give out the image; undefined where it does, or cannot be asked. */
  readonly refusal: () => Promise<string | undefined>;
};

/** For somebody who waits: the server counts a request when it is over, which can be a moment after the client has all of it. */
const LOOKS = 20;
const PAUSE_MS = 250;

export async function provePull(
  client: string,
  { pull }: ClientCheck,
  image: string,
  context: ClientContext,
  { count, pause, refusal }: PullProof,
): Promise<Observation[]> {
  const { good, note, wrong } = says(client);
  if (pull === undefined) return [];
  const before = await count();
  if (before === undefined)
    return [note("Nothing was pulled: the server's counts cannot be read, so it would prove nothing.")];
  const { isDone, why } = await pull(image, context);
  if (!isDone) {
    const refused = await refusal();
    const todo =
      refused === undefined ? "See the findings above, and the log of Granary." : `Granary says: ${refused}`;
    return [wrong(`${image} could not be pulled: ${why}`, todo)];
  }
  const served = await growthOf(before, count, pause);
  if (served.requests > 0)
    return [good(`${image} was pulled, and came through Granary (${formatBytes(served.bytes)}).`)];
  if ((served.looks ?? 0) > 0)
    return [note(`${image} is in this client already, so that only a look at it came to Granary.`)];
  return [
    wrong(
      `${image} was pulled, and not a byte of it came through Granary: the client went to the registry itself.`,
      "See the findings above: a mirror that fails is passed without a word.",
    ),
  ];
}

/** What came since `before`; a look alone is waited on, because more may follow. */
async function growthOf(
  before: Served,
  count: CountServed,
  pause: (ms: number) => Promise<void>,
): Promise<Served> {
  let grown: Served = { requests: 0, bytes: 0 };
  for (let look = 0; look < LOOKS && grown.requests <= 0; look++) {
    if (look > 0) await pause(PAUSE_MS);
    const { requests, bytes, looks = 0 } = (await count()) ?? before;
    grown = {
      requests: requests - before.requests,
      bytes: bytes - before.bytes,
      looks: looks - (before.looks ?? 0),
    };
  }
  return grown;
}
