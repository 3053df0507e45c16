/**
 * Owns what people are told of each cause of failures: a title, what to do about it, and the command for that. Every code of GranaryError has
 * its sentences here. Pure.
 */
import type { Cause } from "./cause.ts";

/** What is told of one cause at one upstream. */
export type Advice = {
  /** A sentence without a full stop. */
  readonly title: string;
  /** One or two sentences. */
  readonly todo: string;
  /** A command line that helps; undefined where none does. */
  readonly command?: string;
};

type CauseText = {
  /** True where it is about one upstream: the same at two upstreams is two things to do. */
  readonly isOfUpstream: boolean;
  /** `name` is the upstream, or words for it; `Name` the same at the beginning of a sentence. */
  readonly advice: (at: { readonly name: string; readonly Name: string }) => Advice;
};

const CAUSES: Readonly<Record<Cause, CauseText>> = {
  "reference-invalid": here(
    "A name could not be read",
    "The sentence says which part of the name is wrong: correct it where it was written.",
  ),
  "digest-invalid": here(
    "A digest could not be read",
    "Correct it where it was written: a digest is sha256: and 64 characters from 0 to 9 and a to f.",
  ),
  "config-invalid": here(
    "A setting, or a file that it names, cannot be used",
    "The sentence says which one: correct it. The command tries the settings before they count.",
    "granary reload --dry-run",
  ),
  "path-invalid": here(
    "A file or a directory cannot be used",
    "The sentence names it: correct the path, or let Granary read and write there. Then begin again.",
    "granary jobs",
  ),
  "route-unknown": here(
    "An upstream is not configured",
    'Add that registry under "upstreams" in the settings, and load them.',
    "granary reload",
  ),
  "not-found": upstream(({ name, Name }) => ({
    title: `${Name} does not have what was asked for`,
    todo: `Look at the name, the tag and the platform that the client asks for. If it is private, Granary needs a login at ${name} that may read it, and clients have to log in to Granary.`,
  })),
  unauthorized: upstream(({ name, Name }) => ({
    title: `${Name} wants a login, or refuses the one of Granary`,
    todo: `Correct the login of ${name} in the settings of Granary (username with passwordFile, or credentials), and load them.`,
    command: "granary reload",
  })),
  denied: upstream(({ name, Name }) => ({
    title: `${Name} does not allow it`,
    todo: `The login that Granary has at ${name} may not read this: use one that may, or ask whoever owns it for access.`,
  })),
  "refused-here": here(
    "This Granary does not allow it",
    "The sentence names the rule or the setting that forbids it. If it is meant to pass, change that; what is only held back can be let through with granary approve.",
    "granary rules",
  ),
  "client-outdated": upstream(({ Name }) => ({
    title: `${Name} wants a newer client`,
    todo: "Update the client on the machine that pulls, and pull again.",
  })),
  "rate-limited": upstream(({ name, Name }) => ({
    title: `${Name} limits how much may be asked of it`,
    todo: `Give Granary a login at ${name}, which is allowed more, or wait. What is stored is served meanwhile.`,
    command: "granary status",
  })),
  "upstream-refused": upstream(({ name, Name }) => ({
    title: `${Name} refuses what was asked for`,
    todo: `The sentence has its own answer, and another try gets the same one. Look at the name, or ask those who run ${name}.`,
  })),
  "range-unsatisfiable": here(
    "A client asked for a part that is not there",
    "It goes on with a download of something else, most likely: remove what that client has of it, and pull again.",
  ),
  "digest-mismatch": upstream(({ name, Name }) => ({
    title: `${Name} sent wrong bytes`,
    todo: `They were neither kept nor served as whole. Pull again; if it comes back, look at proxies between here and ${name}, and tell those who run it.`,
  })),
  "size-mismatch": upstream(({ name, Name }) => ({
    title: `${Name} sent another size than it had stated`,
    todo: `Nothing of it was kept. Pull again; if it comes back, look at proxies between here and ${name}, and tell those who run it.`,
  })),
  "manifest-invalid": upstream(({ Name }) => ({
    title: `${Name} has a manifest that cannot be used`,
    todo: "Pull another tag, or ask whoever owns it to push it again.",
  })),
  "upstream-unavailable": upstream(({ name, Name }) => ({
    title: `${Name} cannot be reached, or fails`,
    todo: `What is stored is served meanwhile, and ${name} is asked again by itself. If it lasts, look at the network, the firewall and the proxy settings of this machine.`,
    command: "granary doctor",
  })),
  "set-offline": upstream(({ name, Name }) => ({
    title: `${Name} is set offline`,
    todo: "Somebody told Granary to ask it for nothing: what is stored is served, and all else fails until that is taken back.",
    command: `granary offline off ${name}`,
  })),
  "upstream-protocol": upstream(({ name, Name }) => ({
    title: `${Name} answers with something that cannot be used`,
    todo: `Look whether a registry answers at the address that the settings have for ${name}, and not a proxy or a login page.`,
    command: "granary doctor",
  })),
  conflict: here(
    "Something else was in the way",
    "The sentence says what: wait until it is over, or stop it, and begin again.",
    "granary jobs",
  ),
  "fleet-unavailable": here(
    "What the nodes of this fleet share does not answer",
    "Look whether the database and the object store of the fleet run, and whether this node reaches them. Until then each node works alone.",
    "granary fleet",
  ),
  "store-full": here(
    "There was no room on the disk",
    "Pulls are served all the same, but not kept. Free some of the disk, raise storage.maxSize, or keep less: the command lists the keep rules.",
    "granary keep",
  ),
  "store-damaged": here(
    "The disk did not do what was asked, or something stored is damaged",
    "Look whether the disk is full, read-only or failing. Damaged blobs were set aside; the command looks through everything, and fetches them again.",
    "granary verify --repair",
  ),
  aborted: here(
    "Clients left before they had everything",
    "Often somebody stopped a pull. Where nobody did, look at the time limits of the client, and of proxies between it and Granary.",
    "granary pulls --state failed",
  ),
  closed: here(
    "Granary was being stopped",
    "Pull again: what had come by then is kept, and the transfer goes on from there.",
  ),
  unknown: here(
    "Failures without a known cause",
    "The sentence of each says what happened. The log of Granary from that time says more.",
  ),
};

export const CAUSE_NAMES = Object.keys(CAUSES) as [Cause, ...Cause[]];

export function isCause(text: string): text is Cause {
  return Object.hasOwn(CAUSES, text);
}

/** True where it is about one upstream. */
export function isOfUpstream(cause: Cause): boolean {
  return CAUSES[cause].isOfUpstream;
}

/** `name`: of the upstream, where one is known. */
export function adviceOn(cause: Cause, name?: string): Advice {
  const at = name === undefined ? { name: "the source", Name: "The source" } : { name, Name: name };
  return CAUSES[cause].advice(at);
}

function here(title: string, todo: string, command?: string): CauseText {
  const advice = { title, todo, ...(command !== undefined && { command }) };
  return { isOfUpstream: false, advice: () => advice };
}

function upstream(advice: CauseText["advice"]): CauseText {
  return { isOfUpstream: true, advice };
}
