/**
 * Owns the composition of one Mirror from its drivers, and its end in order. What every method does is its part's; it answers nothing itself.
 * It is long because it lists every part once, in the order in which they need each other.
 */
import { GranaryError } from "../errors.ts";
import { Fills } from "../fill/fills.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { patientMetadata } from "../metadata/patient-metadata.ts";
import type { Clock } from "../observe/clock.ts";
import { Episodes } from "../observe/episodes.ts";
import { reportMoment } from "../observe/moment-metrics.ts";
import type { Trouble } from "../observe/troubles.ts";
import type { Digest } from "../oci/digest.ts";
import { MANIFEST_UNION } from "../oci/media-types.ts";
import { storedPattern } from "../routing/stored-pattern.ts";
import { BodyRoom } from "../upstream/network/body-room.ts";
import { regularly } from "../waiting/regularly.ts";
import { Access } from "./access/access.ts";
import { Links } from "./access/links.ts";
import { answering } from "./answering.ts";
import { AskingAnew } from "./asking-anew.ts";
import { Blobs } from "./blobs/blobs.ts";
import { type Carrying, carrying } from "./carrying.ts";
import { contentsOf } from "./contents/contents.ts";
import { EdgeBackfill } from "./contents/edge-backfill.ts";
import { ShownStatus } from "./contents/shown-status.ts";
import { StoredNames } from "./contents/stored-names.ts";
import { CurrentUpstreams } from "./current-upstreams.ts";
import { ImportedReferrers } from "./lists/imported-referrers.ts";
import { Referrers } from "./lists/referrers.ts";
import { StoredLists } from "./lists/stored-lists.ts";
import { TagLists } from "./lists/tag-lists.ts";
import { listedIn } from "./manifests/manifest-bytes.ts";
import { Manifests } from "./manifests.ts";
import type { ManifestAsker, MirrorStatus } from "./mirror.ts";
import type { MirrorParts, PassagePart, StartedMirror } from "./mirror-parts.ts";
import { relaying } from "./relaying.ts";
import { Cooldown } from "./rules/cooldown.ts";
import { HeldContent } from "./rules/held-content.ts";
import { Keep } from "./rules/keep.ts";
import { Offline } from "./rules/offline.ts";
import { Passage } from "./rules/passage.ts";
import { PassageDesk } from "./rules/passage-desk.ts";
import { PassageRules } from "./rules/passage-rules.ts";
import { Damage } from "./space/damage.ts";
import { blobsOfOurs, Ownership, spoolOfOurs } from "./space/ours-alone.ts";
import { Pins } from "./space/pins.ts";
import { Space } from "./space/space.ts";
import { TagUses } from "./space/tag-uses.ts";
import { Uses } from "./space/uses.ts";
import { AnsweredLately } from "./upkeep/answered-lately.ts";
import { DatabaseRoom } from "./upkeep/database-room.ts";
import { politePace } from "./upkeep/polite-pace.ts";
import { Reconciliation } from "./upkeep/reconcile.ts";
import { Scrub } from "./upkeep/scrub.ts";
import { SoundBlobs } from "./upkeep/sound-blobs.ts";
import { StorageGuard } from "./upkeep/storage-guard.ts";
import { verifyStore } from "./upkeep/verify.ts";

const EVERYTHING_PASSES: PassagePart = { rules: [], cooldowns: new Map() };
/** A refresh is asked for by who runs this Granary, and asks for what most clients take. */
const REFRESHING: ManifestAsker = { loggedIn: true, userAgent: undefined, accept: MANIFEST_UNION };
const SWEEP_MS = 60_000;
/** How often names that nobody needs are looked for. */
const NAMES_MS = 3_600_000;
/** Memory for large lists, of tags and of referrers, that are on their way at one moment. */
const LIST_MEMORY = 64 * 2 ** 20;
/** How long the storage directory may be gone unnoticed. */
const LOOK_MS = 5_000;
/** Of one repository that is looked through for what leads to a digest. */
const MOST_TAGS = 10_000;

/** Reconciles disk and Metadata, of a large store only the first part, then serves. The parts are the Mirror's from now on: `close` closes them. */
export async function startMirror(parts: MirrorParts): Promise<StartedMirror> {
  const { clock, log, metrics, random, budget, makeFolders } = parts;
  const { events } = parts.records;
  const ownership = new Ownership();
  const spool = spoolOfOurs(parts.spool, ownership);
  const store = blobsOfOurs(parts.blobs, ownership);
  // Trouble of the store lasts until it is mended, however seldom it is met.
  const troubles = new Episodes<Trouble>(log, clock, Number.POSITIVE_INFINITY);
  // Trouble with upstreams comes and goes.
  const episodes = new Episodes(log, clock);
  const metadata = patientMetadata(parts.metadata, { clock, troubles });
  const pins = new Pins(metrics);
  const uses = new Uses(metadata, clock, log);
  const tagUses = new TagUses(parts.contents, clock, log);
  const damage = new Damage({ log, metrics, troubles, events });
  const stored = { metadata, blobs: store, spool, pins, uses, damage };
  const upstreams = new CurrentUpstreams(parts.clients, clock);
  const configured = () => upstreams.clients.map((client) => client.upstream);
  const parse = (text: string) => storedPattern(text, configured());
  const names = new StoredNames({ rows: parts.contents, clock, upstreams: configured });
  const backfill = new EdgeBackfill({ rows: parts.contents, clock, log });
  const keep = new Keep(
    { contents: parts.contents, rows: parts.rules, clock, areEdgesKnown: () => backfill.isDone, parse },
    parts.keep ?? [],
  );
  const { rules: settled, cooldowns } = parts.passage ?? EVERYTHING_PASSES;
  const cooldown = new Cooldown({ rows: parts.sightings, clock, events }, cooldowns);
  const held = new HeldContent({ cooldown, contents: parts.contents, clock });
  const isKept = async (digest: Digest) => (await keep.isKept(digest)) || (await held.isKept(digest));
  const space = new Space({ ...stored, isKept, budget, ownership, clock, log, metrics, troubles, events });
  // What can be fetched again gives way to what cannot.
  metadata.onFull(() => void space.trim());
  keep.onChange(() => space.keptChanged());
  const offline = new Offline({ rows: parts.rules, clock, events, clients: () => upstreams.clients });
  const fills = new Fills({
    ...{ spool, blobs: store, clock, log, episodes, metrics, random },
    record: (digest, size) => recordVerified(metadata, clock, digest, size),
    takeRoom: (of, size) => space.takeRoom(of, size),
    pin: (digest) => pins.pinFill(digest),
    isOffline: (upstream) => offline.has(upstream),
    follower: parts.fleet?.follower,
  });
  parts.fleet?.serve(fills);
  offline.onChange(() => fills.lineChanged());
  await keep.open();
  const answered = new AnsweredLately({ clock, upstreams, offline });
  const databaseRoom = new DatabaseRoom({
    ...{ bound: parts.bound, keep, answered, troubles },
    areEdgesKnown: () => backfill.isDone,
  });
  upstreams.waitFor((upstream) => fills.over(upstream));
  const sound = new SoundBlobs({ store, metadata, pins, damage, clock, log });
  const reconciliation = new Reconciliation({
    ...{ metadata, blobs: store, spool, sound, space, pins },
    log,
    troubles,
  });
  const mended = () => reconciliation.begin();
  const guard = new StorageGuard({ makeFolders, metadata, ownership, mended, log, troubles });
  const links = new Links(metadata, clock);
  const access = new Access(
    metadata,
    clock,
    async (upstream, digest) =>
      fills.find({ digest, upstream }) !== undefined || (await store.stat(digest)) !== undefined,
    (where, digest) => links.isImported(where, digest),
  );
  const manifests = new Manifests({
    ...{ metadata, links, uses, tagUses, clock, damage, episodes, events, cooldown },
    turns: parts.fleet?.turns,
  });
  const passage = new Passage({
    clock,
    tagsIn: (where) => parts.contents.tagsIn(where, MOST_TAGS),
    listedIn: async (digest) => {
      const manifest = await metadata.manifest(digest);
      return manifest === undefined ? [] : listedIn(manifest);
    },
  });
  const passageRules = new PassageRules({
    ...{ passage, rows: parts.rules, contents: parts.contents, clock },
    parse,
    upstreams: configured,
  });
  await passageRules.load(settled);
  const shared = parts.fleet?.origin;
  const blobs = new Blobs({
    ...{ sound, fills, space, links, pins, uses, clock, log, metrics, random, events, shared },
    addressOf: parts.fleet?.addressOf,
  });
  const room = new BodyRoom(LIST_MEMORY, clock);
  const tagLists = new TagLists(metadata, clock, room);
  const referrers = new Referrers({
    manifests,
    links,
    stored: new StoredLists(metadata, clock, room),
    room,
    clock,
    episodes,
  });
  const importedReferrers = new ImportedReferrers({ rows: parts.contents, metadata, room, clock });

  const answers = answering({
    ...{ upstreams, access, passage, cooldown, links, manifests, blobs, tagLists, referrers },
    importedReferrers,
  });
  const anew = new AskingAnew({ manifests, access, links, tell: parts.fleet?.tellAskAnew, log });
  const relayed = relaying({
    ...{ upstreams, passage, cooldown },
    onPushed: (target) => anew.pushed(target),
  });
  const contents = contentsOf({
    ...{
      rows: parts.contents,
      names,
      metadata,
      spool,
      store,
      space,
      pins,
      uses,
      tagUses,
      keep,
      links,
      access,
      manifests,
    },
    ...{ records: parts.records, backfill, clock, log },
    askAnew: (names) => anew.everywhere(names),
    fills: () => fills.status(),
    ask: ({ upstream, repository }, tag) =>
      answers.headManifest({ kind: "manifest", upstream, repository, reference: { tag } }, REFRESHING),
    askFor: (where, tag) => answered.ask(where, tag),
    unneeded: parts.fleet?.unneeded ?? [parts.contents],
  });

  const shown = new ShownStatus({ rows: parts.contents, space, clock });
  const upkeep: (() => Promise<void>)[] = [];
  const roundMs = parts.verifyEveryMs ?? 0;
  const scrub = new Scrub({ metadata, store, sound, pins, roundMs, clock, log, metrics });
  await offline.open();
  if (parts.isAtRest !== true) {
    await contents.finishRemovals();
    await reconciliation.begin();
    await guard.look();
    upkeep.push(regularly(clock, SWEEP_MS, () => space.sweep()));
    upkeep.push(regularly(clock, SWEEP_MS, async () => databaseRoom.look()));
    upkeep.push(regularly(clock, LOOK_MS, () => guard.look()));
    // Not waited for at the end: it may wait for an upstream, and changes nothing after the database is closed.
    const stopSweepingNames = regularly(clock, NAMES_MS, () => contents.sweepNames());
    upkeep.push(async () => void stopSweepingNames());
    scrub.start();
    backfill.start();
  }
  let closing: Promise<void> | undefined;

  async function close(deadlineMs: number): Promise<void> {
    answers.close();
    blobs.close();
    backfill.stop();
    for (const stop of upkeep) await stop();
    const scrubbed = scrub.stop();
    await reconciliation.stop();
    await sound.close();
    await scrubbed;
    await fills.drain(deadlineMs);
    try {
      await tagUses.flush();
      await uses.flush();
    } finally {
      await upstreams.close();
      parts.records.close();
      await metadata.close();
    }
  }

  const mirror: Omit<StartedMirror, keyof Carrying> = {
    ...answers,
    status: async (): Promise<MirrorStatus> => {
      databaseRoom.look();
      const [disk, sums] = await Promise.all([space.use(), metadata.sums()]);
      const now = {
        fills: fills.status(),
        upstreams: upstreams.clients.map((client) => client.status()),
      };
      const traffic = parts.records.traffic.totals().all;
      reportMoment(metrics, { ...now, now: clock.now(), troubles: troubles.keys, traffic });
      return {
        ...now,
        ...(await shown.of(now.fills, disk)),
        pins: pins.count,
        blobs: sums.blobs,
        manifests: sums.manifests,
        troubles: troubles.current,
      };
    },
    verify: async (options) => {
      if (closing !== undefined) throw new GranaryError("closed", "Granary is shutting down.");
      // Nobody is served where no server runs.
      const pace = parts.isAtRest === true ? {} : { pace: () => politePace(pins) };
      return await verifyStore({ metadata, store, sound, damage, clock, pins }, { ...pace, ...options });
    },
    renewUpstreams: (clients) => {
      offline.apply(clients);
      upstreams.replace(clients);
      passageRules.renew();
    },
    renewPassage: (next) => {
      passageRules.renew(next.rules);
      cooldown.use(next.cooldowns);
    },
    passage: new PassageDesk({
      rules: passageRules,
      cooldown,
      parse: (text) => names.parse(text),
      upstreams: configured,
      tagOf: (where, tag) => metadata.tag({ ...where, tag, acceptClass: "" }),
      askAnew: (names) => anew.everywhere(names),
    }),
    offline,
    relaying: relayed,
    troubles,
    keeps: isKept,
    rereadRules: async () => {
      await keep.reread();
      await passageRules.reread();
      await offline.reread();
    },
    askAnew: (names) => anew.here(names),
    contents,
    renewKeep: (patterns) => keep.renew(patterns),
    renewBudget: (next) => space.renewBudget(next),
    renewVerifying: (everyMs) => scrub.renew(everyMs),
    close: (deadlineMs) => {
      closing ??= close(deadlineMs);
      return closing;
    },
  };
  const carried = carrying({
    ...{ mirror, metadata, store, spool, space, pins, uses, links, manifests, access, clock },
    ...{ contents: parts.contents, names, host: parts.host, clients: () => upstreams.clients, referrers },
  });
  return { ...mirror, ...carried };
}

/** A Fill has hashed what it commits. */
function recordVerified(metadata: Metadata, clock: Clock, digest: Digest, size: number): Promise<void> {
  const now = clock.now();
  return metadata.recordBlob({ digest, size, usedAt: now, verifiedAt: now });
}
