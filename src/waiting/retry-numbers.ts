/**
 * Owns every number that says how often, how soon and how long something is tried again, each with its reason, so that they can be
 * read side by side: a wait in one layer must fit into the patience of the layer above it. Plain values only; whoever uses
 * one decides what it means. Durations in milliseconds.
 */

/** A transfer of a blob (src/fill): lanes, and readers of what is not kept. */
export const FILL_RETRIES = {
  /** The pause after the first failure; it doubles with each further one. A dropped connection is usually back at once. */
  firstPauseMs: 250,
  /** The longest such pause. Whoever waits wants bytes within a second of the upstream's return, and only one lane tries. */
  longestPauseMs: 1_000,
  /** Part of a pause that is left to chance, so that the transfers of one outage do not all come back in one moment. */
  jitter: 0.25,

  /**
   * The longest Retry-After that is waited for before the first byte, unless the policy says otherwise. Clients give up after 10 to 30 s
   * without a byte: they are better off with an error before that.
   */
  unbegunPatienceMs: 10_000,

  /** How often in a row an origin must answer "not there" or "not for you" before it is believed: one node of many may say it for a moment. */
  refusals: 3,
  /** The same once bytes of the blob have come: they were there a moment ago, so more is needed to believe that they are gone. */
  refusalsOnceBegun: 5,
  /** The pause before the first of these answers is asked for again; it doubles with each further one. */
  refusalPauseMs: 100,

  /** How often we look whether an upstream that is away is back. Nothing is sent for it: its client knows. */
  awayPauseMs: 200,

  /** The pause of the last lane where others were served a moment ago: the line has only to get over what ended them. */
  lastLanePauseMs: 100,
  /** So many of these pauses in a row; after them the failure is judged as any other. */
  lastLanePauses: 3,

  /** After so long without another refusal one connection more is tried. If it is refused too, only that request is lost. */
  laneRaiseMs: 5_000,
  /** How long a lane rests that got nothing for a reason which says nothing of the line: a broken connection, a range that is not there. */
  laneRestMs: 250,
} as const;

/** Answers of an upstream that are asked for again (src/mirror): tags, lists, and what is said to be gone. */
export const TAG_RETRIES = {
  /** How long a failed check of a tag is not repeated. Until then its stored answer is given at once, so that a pull does not wait each time. */
  recheckMs: 10_000,
  /** Two answers "not there" that are closer together than this count as one: a registry in trouble repeats itself. */
  leastApartMs: 5_000,
  /** What the upstream has really deleted is given out for no longer than this. */
  mostApartMs: 60_000,
} as const;

/** Whether strangers may read a repository (src/mirror/access). */
export const ACCESS_RETRIES = {
  /** How far apart two refusals are that together mean that a public repository has become private. */
  refusalsApartMs: 10_000,
  /** How long a look that could not tell is not repeated for a repository that is known to be public. */
  lookAgainMs: 10_000,
  /** How long it is believed that a client's own login opens something: it may be revoked at any moment, and a pull asks for a thing twice. */
  confirmedMs: 60_000,
} as const;

/** A small question to a registry (src/upstream/network/caller.ts): a manifest, a size, a list. */
export const QUESTION_RETRIES = {
  /** Tries of one question, the first included, and how long they may take together: clients wait about 30 s for headers (docs/protocol.md#connections). */
  tries: 3,
  budgetMs: 30_000,
  /** The pause after the first failure. Each further one is so many times as long: 250 ms, 1 s. */
  firstPauseMs: 250,
  growth: 4,
  /** Part of a pause that is left to chance, either way. */
  jitter: 0.25,
  /** An upstream that went away less than this ago is waited for: most are back by then, and the client of a cold pull has nothing else. */
  rideOutMs: 5_000,
  /** How often that wait looks whether it is back. Nothing is sent for it. */
  lookMs: 200,
} as const;

/** An upstream that does not answer (src/upstream/network/circuit.ts). */
export const OUTAGE_RETRIES = {
  /** How often we look ourselves whether it is back. First bytes are to flow again within a second of its return. */
  probeMs: 500,
  /** Probes under way at once: one that hangs, as on a line that drops everything, must not keep the next one from finding out. */
  probesAtOnce: 4,
  /** A client's question is let through after this, for registries whose base does not answer like the rest; the time doubles with each one. */
  firstTryMs: 2_000,
  longestTryMs: 60_000,
} as const;

/** An upstream that limits us, 429 (src/upstream/network/rate-limits.ts). */
export const RATE_LIMIT_RETRIES = {
  /** The wait without a Retry-After, which Docker Hub does not document (docs/protocol.md#docker-hub-rate-limits). It doubles each time. */
  firstMs: 60_000,
  longestMs: 15 * 60_000,
  /** The longest Retry-After that is obeyed: Docker Hub's own window. */
  longestRetryAfterMs: 6 * 3600_000,
  /** The shortest wait that a client is told, so that it does not come back at once. */
  shortestToldMs: 1_000,
} as const;

/** One of several endpoints that failed (src/upstream/network/endpoints.ts): it is tried after the others for this long, doubling each time. */
export const ENDPOINT_RETRIES = { firstMs: 60_000, longestMs: 10 * 60_000 } as const;

/** A host that gives us only so many connections (src/upstream/network/connections.ts). */
export const CONNECTION_RETRIES = {
  /** After so long without another refusal one connection more is tried. */
  raiseMs: 5_000,
  /**
   * How long a refused request waits to see whether others, which were asked for at the same time, are served. Slow lines take most of a
   * second for that.
   */
  undecidedMs: 2_000,
  /** How often one request believes that it was turned away for want of a connection: the host may as well fail at this very request. */
  timesTurnedAway: 8,
  /** A limit under which nothing was asked for this long is forgotten. */
  forgetMs: 30_000,
} as const;

/** A token server (src/upstream/identity/authorizer.ts). */
export const TOKEN_RETRIES = {
  /** How long it is believed that a refused token opens nothing. */
  refusedMs: 10_000,
  /** The wait after a 429 without a Retry-After. Its limits are no limits of the registry. */
  limitedMs: 30_000,
} as const;

/** Credential helpers (src/credentials/credential-helpers.ts). */
export const HELPER_RETRIES = {
  /** The longest run: a helper may ask a person for the key of its store. */
  timeoutMs: 30_000,
  /** How long "no login" is believed: somebody may log in at any moment. */
  noneMs: 5_000,
  /** An answer that the registry refused is asked for again once it is this old, so that repeated refusals do not start a process each. */
  refusedMs: 5_000,
} as const;

/** The database (src/metadata), and the lock of a directory (src/store/lock-directory.ts). */
export const DATABASE_RETRIES = {
  /** The wait before rows that could not be written are tried again: somebody may have freed some space. */
  pauseMs: 2_000,
  /** One row that fails must not stop the others. After so many in a row it is not the rows. */
  failuresInARow: 5,
  /** When reads have worked for so long, the trouble is over. */
  readsQuietMs: 60_000,
  /** How long a lock is waited for: a process that was just killed has its locks until the system has taken it down. */
  lockMs: 3_000,
} as const;

/** A client verb (src/client): one fetch for somebody who waits for it. The names are those of FillPolicy. */
export const VERB_RETRIES = {
  /** So many failures in a row without a byte between them end the fetch: its partial file is kept, and the same command goes on. */
  attempts: 6,
  /** How long a registry that was there may be away: a restart, or a line that comes back. */
  outageMs: 120_000,
  /** How long it may be away before the first byte. Somebody sits there, and is to hear soon of a registry that is not there. */
  beginMs: 10_000,
  /** "Not there" is believed at once: most often the name is wrong, and somebody waits to hear it. */
  refusals: 1,
  /** The longest Retry-After that is waited for. Nobody hangs up on us here, and a minute is little beside a fetch of hours. */
  patienceMs: 60_000,
} as const;
