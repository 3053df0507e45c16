/**
 * Owns the Pulls: what is told of them as they begin and end, and the list of those that run and those that are over. Which requests are one
 * pull is open-pulls.ts's. Names that nobody confirmed are kept in small numbers only, because clients can invent any.
 */

import { formatBytes, formatDuration } from "../bytes/units.ts";
import { isFoundBy, type PullQuery, type PullRow } from "../metadata/pull-rows.ts";
import type { RecordRows } from "../metadata/record-rows.ts";
import type { Clock } from "../observe/clock.ts";
import type { EventFacts, EventKind } from "./event.ts";
import type { EventTeller } from "./events.ts";
import { OpenPulls, type PullAsk, type PullKeeper } from "./open-pulls.ts";
import type { OpenPull, PullState } from "./pull.ts";
import type { Traffic } from "./traffic.ts";

export type PullParts = {
  readonly clock: Clock;
  readonly events: EventTeller;
  readonly traffic: Traffic;
  /** Without it nothing is kept over a restart. */
  readonly rows: Pick<RecordRows, "pulls"> | undefined;
  readonly lastId: number;
  readonly keepsClients: () => boolean;
  /** Called when a pull runs that will have to be written. */
  readonly onChange: () => void;
};

/** Pulls that are over and wait to be written. */
const MOST_WAITING = 2_000;
/** Of names that do not exist, so many are kept of each window. */
const FAILED_WINDOW_MS = 10_000;
const MOST_FAILED = 20;

/** One that goes on, as it is shown. */
export type RunningPull = PullRow & {
  /** Requests of it that are being answered; 0: the client is between two of them. */
  readonly requests: number;
  readonly bytesPerSecond: number;
};

export class Pulls implements PullKeeper {
  readonly #parts: PullParts;
  readonly #open: OpenPulls;
  #ended: PullRow[] = [];
  #lastId: number;
  #failed = { since: 0, count: 0 };

  constructor(parts: PullParts) {
    this.#parts = parts;
    this.#lastId = parts.lastId;
    this.#open = new OpenPulls(parts.clock, this);
  }

  join(ask: PullAsk): OpenPull | undefined {
    this.#parts.onChange();
    return this.#open.join(ask);
  }

  confirm(pull: OpenPull): void {
    this.#open.confirm(pull);
  }

  left(pull: OpenPull): void {
    this.#open.left(pull);
  }

  settle(all = false): void {
    this.#open.settle(all);
  }

  /** True when nothing runs and nothing waits to be written. */
  get isQuiet(): boolean {
    return this.#open.isEmpty && this.#ended.length === 0;
  }

  /** Those that run and those that are over, newest first. Throws what the database throws. */
  find(query: PullQuery): PullRow[] {
    this.settle();
    const found = new Map<number, PullRow>();
    for (const row of this.#parts.rows?.pulls(query) ?? []) found.set(row.id, row);
    for (const row of [...this.#ended, ...this.running]) {
      // What the database has of it is older.
      if (isAsked(row, query)) found.set(row.id, row);
      else found.delete(row.id);
    }
    const rows = [...found.values()].sort((a, b) => b.id - a.id).slice(0, query.limit);
    // What could not be deleted from the database yet is nobody's to see.
    if (this.#parts.keepsClients()) return rows;
    const { search = "" } = query;
    return rows.map((row) => ({ ...row, client: null })).filter((row) => isFoundBy(search, row));
  }

  /** Whose pulls run. */
  get pullers(): readonly { readonly client: string; readonly agent: string }[] {
    const running = this.#open.running.filter((pull) => !pull.isComplete);
    return running.map(({ key }) => ({ client: key.client, agent: key.agent.kind }));
  }

  /** What is shown of those that run, the oldest first; those that have everything are left out. */
  get shown(): readonly RunningPull[] {
    const now = this.#parts.clock.elapsed();
    const running = this.#open.running.filter((pull) => !pull.isComplete);
    return running.map((pull) => {
      const { requests } = pull;
      return { ...this.#row(pull, "running"), requests, bytesPerSecond: pull.rateAt(now) };
    });
  }

  get running(): readonly PullRow[] {
    return this.#open.running.map((pull) => this.#row(pull, pull.isComplete ? "done" : "running"));
  }

  /** What is to be written: those that are over, and of those that run the ones that changed. */
  unwritten(): readonly PullRow[] {
    const changed = this.#open.running.filter(({ isChanged }) => isChanged);
    return [...this.#ended, ...changed.map((pull) => this.#row(pull, "running"))];
  }

  /** All that `unwritten` gave was written, or can never be. */
  written(): void {
    this.#ended = [];
    for (const pull of this.#open.running) pull.isChanged = false;
  }

  /** Takes the addresses of clients out of those that wait to be written and began before `before` (epoch ms). */
  forgetClients(before: number): void {
    this.#ended = this.#ended.map((row) => (row.begunAt < before ? { ...row, client: null } : row));
  }

  begun(pull: OpenPull): void {
    pull.id = ++this.#lastId;
    this.#parts.traffic.pulled(pull.key);
    this.#tell("pull-begun", pull, `${pull.key.agent.kind} pulls ${nameOf(pull)}`);
  }

  ended(pull: OpenPull): void {
    const { failure } = pull;
    for (const cell of pull.cells ?? []) this.#parts.traffic.letGo(cell);
    if (pull.id === undefined && (failure === undefined || !this.#mayKeepFailed())) return;
    pull.id ??= ++this.#lastId;
    this.#ended.push(this.#row(pull, failure === undefined ? "done" : "failed"));
    if (this.#ended.length > MOST_WAITING) this.#ended.shift();
    const who = pull.key.agent.kind;
    if (failure === undefined)
      this.#tell("pull-ended", pull, `${who} pulled ${nameOf(pull)}: ${outcomeOf(pull)}`);
    else {
      const { reason, cause } = failure;
      this.#tell("pull-failed", pull, `${who} could not pull ${nameOf(pull)}: ${reason}`, {
        ...cause,
        reason,
      });
    }
  }

  #tell(kind: EventKind, pull: OpenPull, text: string, failure: EventFacts = {}): void {
    const { id, tag, platform, served } = pull;
    const { client, agent, upstream, repository } = pull.key;
    const facts: EventFacts = { client, pull: id, upstream, repository, tag, platform, agent: agent.kind };
    const end = kind === "pull-begun" ? {} : { served, ms: pull.tookMs, ...failure };
    this.#parts.events.tell(kind, text, { ...facts, ...end });
  }

  #row(pull: OpenPull, state: PullState): PullRow {
    return pull.row(pull.id ?? 0, state, this.#parts.keepsClients());
  }

  #mayKeepFailed(): boolean {
    const now = this.#parts.clock.elapsed();
    if (now - this.#failed.since > FAILED_WINDOW_MS) this.#failed = { since: now, count: 0 };
    this.#failed.count += 1;
    return this.#failed.count <= MOST_FAILED;
  }
}

function isAsked(row: PullRow, { before, limit: _, search, ...wanted }: PullQuery): boolean {
  const names = ["upstream", "repository", "state", "client"] as const;
  if (search !== undefined && !isFoundBy(search, row)) return false;
  return row.id < before && names.every((name) => wanted[name] === undefined || row[name] === wanted[name]);
}

/** "docker.io/library/alpine:3 (linux/arm64)" */
function nameOf({ key, tag, digest, platform }: OpenPull): string {
  const end = tag !== undefined ? `:${tag}` : digest === undefined ? "" : `@${digest}`;
  return `${key.upstream}/${key.repository}${end}${platform === undefined ? "" : ` (${platform})`}`;
}

function outcomeOf(pull: OpenPull): string {
  if (pull.blobs === 0) return "it had everything already";
  const from = pull.misses === 0 ? ", all of it from here" : "";
  return `${formatBytes(pull.served)} in ${formatDuration(pull.tookMs)}${from}`;
}
