/**
 * Owns the composition of one Mirror from its drivers: what every method does is its part's; here a Target finds its
 * upstream, permission is checked before anything is looked up, and everything is ended in order.
 */
import { GranaryError } from "../errors.ts";
import { Fills } from "../fill/fills.ts";
import type { ContentRemoval } from "../metadata/content-removal.ts";
import type { ContentRows } from "../metadata/content-rows.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { patientMetadata } from "../metadata/patient-metadata.ts";
import type { RuleRows } from "../metadata/rule-rows.ts";
import type { SightingRows } from "../metadata/sighting-rows.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import { Episodes } from "../observe/episodes.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Platform } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { MANIFEST_UNION } from "../oci/media-types.ts";
import type { Wanting } from "../purpose.ts";
import type { Records } from "../records/records.ts";
import type { NamePattern } from "../routing/name-pattern.ts";
import { storedPattern } from "../routing/stored-pattern.ts";
import type { BlobTarget, Target } from "../routing/target.ts";
import type { BlobStore } from "../store/blob-store.ts";
import type { Spool } from "../store/partial.ts";
import { BodyRoom } from "../upstream/network/body-room.ts";
import type { Upstream } from "../upstream/policy.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import { Access, type GuardedQuestion } from "./access/access.ts";
import { Links } from "./access/links.ts";
import { Blobs } from "./blobs/blobs.ts";
import { type Carrying, carrying } from "./carrying.ts";
import { type Contents, contentsOf } from "./contents/contents.ts";
import { EdgeBackfill } from "./contents/edge-backfill.ts";
import { CurrentUpstreams } from "./current-upstreams.ts";
import { onlyTags } from "./lists/only-tags.ts";
import { Referrers } from "./lists/referrers.ts";
import { StoredLists } from "./lists/stored-lists.ts";
import { TagLists } from "./lists/tag-lists.ts";
import { listedIn } from "./manifests/manifest-bytes.ts";
import { Manifests } from "./manifests.ts";
import type { Asker, FoundBlob, ListAnswer, ManifestAsker, Mirror, MirrorStatus } from "./mirror.ts";
import { Cooldown, type Cooldowns } from "./rules/cooldown.ts";
import { Keep } from "./rules/keep.ts";
import { Offline } from "./rules/offline.ts";
import { Passage, type PassageRule } from "./rules/passage.ts";
import { PassageDesk } from "./rules/passage-desk.ts";
import { PassageRules } from "./rules/passage-rules.ts";
import { Damage } from "./space/damage.ts";
import type { Budget } from "./space/disk-measure.ts";
import { blobsOfOurs, Ownership, spoolOfOurs } from "./space/ours-alone.ts";
import { Pins } from "./space/pins.ts";
import { Space } from "./space/space.ts";
import { TagUses } from "./space/tag-uses.ts";
import { Uses } from "./space/uses.ts";
import { politePace } from "./upkeep/polite-pace.ts";
import { Reconciliation } from "./upkeep/reconcile.ts";
import { Scrub } from "./upkeep/scrub.ts";
import { SoundBlobs } from "./upkeep/sound-blobs.ts";
import { StorageGuard } from "./upkeep/storage-guard.ts";
import { verifyStore } from "./upkeep/verify.ts";

export type MirrorParts = {
  readonly clients: readonly UpstreamClient[];
  readonly metadata: Metadata;
  readonly contents: ContentRows & ContentRemoval;
  readonly rules: RuleRows;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  /** Makes what is missing of the folders that `blobs` and `spool` work in; see StorageGuard. */
  readonly makeFolders: () => Promise<string>;
  readonly budget: Budget;
  /** Keep rules of the settings. */
  readonly keep?: readonly NamePattern[];
  readonly sightings: SightingRows;
  /** What the settings say of what may pass; everything, and at once, when left out. */
  readonly passage?: PassagePart;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  readonly records: Records;
  /** Within which each stored blob is hashed again; 0 or nothing: never. */
  readonly verifyEveryMs?: number;
  /**
   * For one command over a directory that no server uses: nothing is put right, swept, watched or hashed by itself, so that only what the
   * command asks for changes anything.
   */
  readonly isAtRest?: boolean;
  /** What is exported of an index of which nothing is here; linux/amd64 when left out. */
  readonly host?: Platform;
};

export type PassagePart = {
  readonly rules: readonly PassageRule[];
  readonly cooldowns: Cooldowns;
};

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

/** A running Mirror, and what settings can change of it. */
export type StartedMirror = Mirror &
  Carrying & {
    readonly offline: Offline;
    /** All upstreams from now on; a client that is not among them any more is closed when no pull needs it. */
    renewUpstreams(clients: readonly UpstreamClient[]): void;
    renewBudget(budget: Budget): void;
    /** As `verifyEveryMs`. */
    renewVerifying(everyMs: number): void;
    renewPassage(passage: PassagePart): void;
    readonly passage: PassageDesk;
    readonly contents: Contents;
    /** Keep rules of the settings from now on. */
    renewKeep(patterns: readonly NamePattern[]): void;
  };

/** Reconciles disk and Metadata, of a large store only the first part, then serves. The parts are the Mirror's from now on: `close` closes them. */
export async function startMirror(parts: MirrorParts): Promise<StartedMirror> {
  const { clock, log, metrics, random, budget, makeFolders } = parts;
  const { events } = parts.records;
  const ownership = new Ownership();
  const spool = spoolOfOurs(parts.spool, ownership);
  const store = blobsOfOurs(parts.blobs, ownership);
  // Trouble of the store lasts until it is mended, however seldom it is met.
  const troubles = new Episodes(log, clock, Number.POSITIVE_INFINITY);
  // Trouble with upstreams comes and goes.
  const episodes = new Episodes(log, clock);
  const metadata = patientMetadata(parts.metadata, { clock, troubles });
  const pins = new Pins(metrics);
  const uses = new Uses(metadata, clock, log);
  const tagUses = new TagUses(parts.contents, clock, log);
  const damage = new Damage({ log, metrics, troubles, events });
  const stored = { metadata, blobs: store, spool, pins, uses, damage };
  const configured = (): readonly Upstream[] => upstreams.clients.map((client) => client.upstream);
  const keep = new Keep(
    {
      contents: parts.contents,
      rows: parts.rules,
      clock,
      areEdgesKnown: () => backfill.isDone,
      parse: (text) => storedPattern(text, configured()),
    },
    parts.keep ?? [],
  );
  const backfill = new EdgeBackfill({ rows: parts.contents, clock, log });
  const isKept = (digest: Digest) => keep.isKept(digest);
  const space = new Space({ ...stored, isKept, budget, ownership, clock, log, metrics, troubles, events });
  // What can be fetched again gives way to what cannot.
  metadata.onFull(() => void space.trim());
  const fills = new Fills({
    spool,
    blobs: store,
    clock,
    log,
    episodes,
    metrics,
    random,
    record: (digest, size) => recordVerified(metadata, clock, digest, size),
    takeRoom: (of, size) => space.takeRoom(of, size),
    pin: (digest) => pins.pinFill(digest),
    isOffline: (upstream) => offline.has(upstream),
  });
  const offline: Offline = new Offline({
    rows: parts.rules,
    clock,
    events,
    clients: () => upstreams.clients,
    changed: () => fills.lineChanged(),
  });
  const upstreams = new CurrentUpstreams(parts.clients, clock, (upstream) => fills.over(upstream));
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
  const { rules: settled, cooldowns } = parts.passage ?? EVERYTHING_PASSES;
  const cooldown = new Cooldown({ rows: parts.sightings, clock, events }, cooldowns);
  const manifests = new Manifests({
    metadata,
    links,
    uses,
    tagUses,
    clock,
    damage,
    episodes,
    events,
    cooldown,
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
    parse: (text) => storedPattern(text, configured()),
    upstreams: configured,
  });
  await passageRules.load(settled);
  const blobs = new Blobs({ sound, fills, space, links, pins, uses, clock, log, metrics, random, events });
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

  const contents = contentsOf({
    ...{ rows: parts.contents, metadata, spool, space, pins, uses, tagUses, keep, links, access, manifests },
    ...{ records: parts.records, backfill, clock, log, upstreams: configured },
    fills: () => fills.status(),
    ask: ({ upstream, repository }, tag) =>
      headManifest({ kind: "manifest", upstream, repository, reference: { tag } }, REFRESHING),
    askFor: async ({ upstream, repository }, tag) => {
      const held = upstreams.hold(upstream);
      if (held === undefined)
        throw new GranaryError("route-unknown", `No upstream "${upstream}" is configured.`);
      const { accept, userAgent } = REFRESHING;
      await held.client.headManifest({ repository, reference: tag, accept, userAgent }).finally(held.release);
    },
  });

  const upkeep: (() => Promise<void>)[] = [];
  const verifying = {
    metadata,
    store,
    sound,
    damage,
    clock,
    pins,
  };
  const roundMs = parts.verifyEveryMs ?? 0;
  const scrub = new Scrub({ metadata, store, sound, pins, roundMs, clock, log, metrics });
  await offline.open();
  if (parts.isAtRest !== true) {
    await reconciliation.begin();
    await guard.look();
    upkeep.push(regularly(clock, SWEEP_MS, () => space.sweep()));
    upkeep.push(regularly(clock, LOOK_MS, () => guard.look()));
    // Not waited for at the end: it may wait for an upstream, and changes nothing after the database is closed.
    const stopSweepingNames = regularly(clock, NAMES_MS, () => contents.sweepNames());
    upkeep.push(async () => void stopSweepingNames());
    scrub.start();
    backfill.start();
  }
  let closing: Promise<void> | undefined;

  /** The answer of the target's upstream, as far as the asker may see it. `keep` gives the answer with what is to be done when it is over. */
  async function answered<T>(
    target: Target,
    asker: Asker,
    question: GuardedQuestion<T>,
    keep?: (answer: T, whenOver: () => void) => T,
  ): Promise<T> {
    if (closing !== undefined) throw new GranaryError("closed", "Granary is shutting down.");
    const held = upstreams.hold(target.upstream);
    if (held === undefined)
      throw new GranaryError("route-unknown", `No upstream "${target.upstream}" is configured.`);
    let isKept = false;
    try {
      if (passage.hasRules) await passage.check(target);
      const answer = await access.answer(held.client, target, asker, question);
      isKept = keep !== undefined;
      return keep === undefined ? answer : keep(answer, held.release);
    } finally {
      if (!isKept) held.release();
    }
  }

  const headManifest: Mirror["headManifest"] = (target, ask) =>
    answered(target, ask, {
      run: async (client) => {
        const answer = await manifests.head(client, target, ask);
        if (passage.hasRules) passage.leave(target, answer.digest, []);
        return answer;
      },
      digest: ({ digest }) => digest,
    });

  async function close(deadlineMs: number): Promise<void> {
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
    manifest: (target, ask) =>
      answered(target, ask, {
        run: async (client) => {
          const answer = await manifests.get(client, target, ask);
          if (passage.hasRules) passage.leave(target, answer.manifest.digest, listedIn(answer.manifest));
          return answer;
        },
        digest: ({ manifest }) => manifest.digest,
        listed: ({ manifest }) => listedIn(manifest),
      }),
    headManifest,
    blob: (target, asker) =>
      answered(
        target,
        asker,
        {
          run: async (client) => {
            if (cooldown.isCooling(target.upstream)) await admitBlob(links, target);
            return await blobs.open(client, target, wantingOf(target, asker));
          },
          digest: () => target.digest,
          drop: ({ blob }) => blob.release(),
        },
        releasingBoth,
      ),
    statBlob: (target, asker) =>
      answered(target, asker, {
        run: async (client) => {
          if (cooldown.isCooling(target.upstream)) await admitBlob(links, target);
          return await blobs.stat(client, target);
        },
        digest: () => target.digest,
      }),
    tags: (target, asker) =>
      answered(target, asker, {
        run: async (client) => {
          const filter = passage.tagFilter(target);
          const list = await tagLists.get(client, target);
          return filter === undefined ? list : await onlyTags(list, filter);
        },
        digest: () => undefined,
        drop: ({ release }) => release(),
        storedAt: storedAtOf,
      }),
    referrers: (target, asker) =>
      answered(target, asker, {
        run: (client) => referrers.get(client, target, asker),
        digest: () => undefined,
        drop: ({ release }) => release(),
        storedAt: storedAtOf,
      }),
    status: async (): Promise<MirrorStatus> => {
      const [disk, sums] = await Promise.all([space.use(), metadata.sums()]);
      const running = fills.status();
      reportFills(metrics, running);
      return {
        fills: running,
        pins: pins.count,
        upstreams: upstreams.clients.map((client) => client.status()),
        disk,
        blobs: sums.blobs,
        manifests: sums.manifests,
        troubles: troubles.current,
      };
    },
    verify: async (options) => {
      if (closing !== undefined) throw new GranaryError("closed", "Granary is shutting down.");
      // Nobody is served where no server runs.
      const pace = parts.isAtRest === true ? {} : { pace: () => politePace(pins) };
      return await verifyStore(verifying, { ...pace, ...options });
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
      upstreams: configured,
      tagOf: (where, tag) => metadata.tag({ ...where, tag, acceptClass: "" }),
      expire: (where) => manifests.expire(where),
    }),
    offline,
    contents,
    renewKeep: (patterns) => keep.renew(patterns),
    renewBudget: (next) => space.renewBudget(next),
    renewVerifying: (everyMs) => scrub.renew(everyMs),
    close: (deadlineMs) => {
      closing ??= close(deadlineMs);
      return closing;
    },
  };
  const { contents: rows, host } = parts;
  const carried = carrying({
    ...{
      mirror,
      metadata,
      contents: rows,
      store,
      spool,
      space,
      pins,
      uses,
      links,
      manifests,
      access,
      clock,
      host,
    },
    upstreams: () => upstreams.clients.map(({ upstream }) => upstream),
  });
  return { ...mirror, ...carried };
}

/** Where new content has to wait, a blob passes as part of what was let through. */
async function admitBlob(links: Links, target: BlobTarget): Promise<void> {
  const { upstream, repository, digest } = target;
  if ((await links.find(target, digest)) !== undefined) return;
  const name = `${upstream}/${repository}@${digest}`;
  const reason = `is part of nothing that was let through there (upstreams.${upstream}.cooldown)`;
  throw new GranaryError("denied", `${name} ${reason}.`, { target: name });
}

function wantingOf({ repository }: Target, { purpose = "waited", client, tag, pull }: Asker): Wanting {
  return { purpose, serves: { repository, client, tag, pull } };
}

/** While the blob is read, its upstream's client is needed too. */
function releasingBoth({ blob, outcome }: FoundBlob, whenOver: () => void): FoundBlob {
  const { digest, size } = blob;
  const release = () => {
    whenOver();
    blob.release();
  };
  return { blob: { digest, size, reader: (...asked) => blob.reader(...asked), release }, outcome };
}

function storedAtOf({ outcome, checkedAt }: ListAnswer): number | undefined {
  return outcome === "stale" ? checkedAt : undefined;
}

/** A Fill has hashed what it commits. */
function recordVerified(metadata: Metadata, clock: Clock, digest: Digest, size: number): Promise<void> {
  const now = clock.now();
  return metadata.recordBlob({ digest, size, usedAt: now, verifiedAt: now });
}

/** The gauges of the moment; whoever asks for the metrics asks for the status first. */
function reportFills(metrics: Metrics, fills: MirrorStatus["fills"]): void {
  metrics.fills.reset();
  for (const { state } of fills) metrics.fills.inc({ state });
  metrics.waits.set(fills.reduce((sum, { waits }) => sum + waits, 0));
}

/** At once, then `ms` after each time has ended; the returned stop waits for one that runs. */
function regularly(clock: Clock, ms: number, work: () => Promise<void>): () => Promise<void> {
  let isStopped = false;
  let next: Timer | undefined;
  let running = Promise.resolve();
  const run = () => {
    running = work().then(() => {
      if (!isStopped) next = clock.after(ms, run);
    });
  };
  run();
  return () => {
    isStopped = true;
    next?.cancel();
    return running;
  };
}
