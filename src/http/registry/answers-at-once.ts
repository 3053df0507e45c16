/**
 * Owns the answers that are given at once: to a request whose very bytes came before, where the answer is in memory, fresh, and for everybody
 * who asks here. They skip Node's parser and its objects for a request, and nothing else: such a request is counted, recorded and logged as
 * every other, and its answer has the same bytes. It never waits, and gives out nothing that the Mirror does not give for this very request.
 */
import type { IncomingMessage } from "node:http";
import { LRUCache } from "lru-cache";
import { matchesAny } from "../answers/entity-tag.ts";
import { ONE_WRITE_BYTES } from "../answers/respond.ts";
import type { Account, RequestLog } from "../request-log.ts";
import { type KnownRequest, knownRequest } from "./known-request.ts";
import { type Found, isCurrent, type Prepared, prepare } from "./prepared-answer.ts";
import { type RegistryParts, recordedOf } from "./registry-routes.ts";

/** A whole answer, one character for each byte. */
export type AnswerAtOnce = {
  readonly text: string;
  /** To be called once: when the system has all of it, or the connection broke before. */
  over(isWhole: boolean): void;
};

type Parts = RegistryParts & { readonly requests: RequestLog };

type Entry = { readonly request: KnownRequest; readonly prepared: Prepared | undefined };

const BASE: Found = { status: 200, answer: undefined };

/** Memory for requests and the texts of their answers. */
const MOST_BYTES = 16 * 2 ** 20;
/** What an entry takes beside these texts, roughly. */
const ENTRY_BYTES = 1_000;

export class AnswersAtOnce {
  readonly #parts: Parts;
  readonly #known = new LRUCache<string, Entry>({
    maxSize: MOST_BYTES,
    sizeCalculation: ({ prepared }, head) => head.length + (prepared?.text.length ?? 0) + ENTRY_BYTES,
  });

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** `head` is all that came for the request `incoming`, one character for each byte. */
  learn(head: string, incoming: IncomingMessage): void {
    if (this.#parts.login !== undefined || this.#known.has(head)) return;
    const request = knownRequest(incoming, this.#parts);
    if (request !== undefined) this.#known.set(head, { request, prepared: undefined });
  }

  /** The answer to a request of these bytes from `address`; undefined where it has to go all the way, and then nothing is counted here. */
  answer(head: string, address: string | undefined): AnswerAtOnce | undefined {
    const entry = this.#known.get(head);
    if (entry === undefined) return undefined;
    const { request } = entry;
    if (!this.#isAsRouted(request)) return this.#forget(head);
    const { requests } = this.#parts;
    const account = requests.open(address);
    const found = this.#find(request, account.client);
    if (found === undefined) return undefined;
    const prepared = this.#prepared(head, entry, found);
    if (prepared === undefined) return this.#forget(head);
    const { text, status, length } = prepared;
    this.#note(account, request, found);
    account.sent(length);
    return { text, over: (isWhole) => requests.close(account, { status, isWhole }, () => request.shown) };
  }

  /** False when settings have changed what the request means or who may ask. */
  #isAsRouted({ router, listenerUpstream }: KnownRequest): boolean {
    const parts = this.#parts;
    return (
      parts.login === undefined && parts.router === router && parts.listenerUpstream === listenerUpstream
    );
  }

  #forget(head: string): undefined {
    this.#known.delete(head);
  }

  #find(request: KnownRequest, client: string | undefined): Found | undefined {
    const { target, isHead, condition, accept, userAgent } = request;
    if (target === undefined) return BASE;
    const ask = { loggedIn: false, userAgent, client, accept };
    const answer = this.#parts.mirror.manifestAtOnce(target, ask, isHead || condition !== undefined);
    if (answer === undefined) return undefined;
    if (matchesAny(condition, answer.manifest.digest)) return { status: 304, answer };
    return isHead || condition === undefined ? { status: 200, answer } : undefined;
  }

  /** undefined where the answer is no single text. */
  #prepared(head: string, entry: Entry, found: Found): Prepared | undefined {
    const now = this.#parts.clock.now();
    if (entry.prepared !== undefined && isCurrent(entry.prepared, found, now)) return entry.prepared;
    const { request } = entry;
    const isSent = !request.isHead && found.status === 200;
    if (isSent && (found.answer?.manifest.bytes.length ?? 0) > ONE_WRITE_BYTES) return undefined;
    const isOllama = this.#parts.upstreams.get(request.route.upstream)?.names === "ollama";
    const prepared = prepare({ route: request.route, isOllama, isSent }, found, now);
    if (prepared !== undefined) this.#known.set(head, { request, prepared });
    return prepared;
  }

  /** What request-listener.ts and the routes note of a request. */
  #note(
    account: Account,
    { route, target, userAgent, isHead }: KnownRequest,
    { status, answer }: Found,
  ): void {
    const { records } = this.#parts;
    account.seen = records.clients.asks(account.client, userAgent);
    account.upstream = route.upstream;
    account.kind = target?.kind ?? "base";
    if (target === undefined || answer === undefined) return;
    const record = records.open({ ...recordedOf(target, isHead), client: account.client, userAgent });
    account.record = record;
    account.outcome = answer.outcome;
    if (isHead || status === 304) record.saw(answer.manifest.digest);
    else record.found(answer.manifest);
  }
}
