/**
 * Owns how a command asks the admin face, however that is reached: questions in JSON, answers checked by the schemas that the server itself
 * uses, and failures as the GranaryErrors that they were there.
 */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { GranaryError } from "../../errors.ts";

const errorSchema = async () => (await import("../../http/admin/admin-error.ts")).errorSchema;

/** Values of undefined are left out; a list is the same name several times. */
export type Query = Readonly<
  Record<string, string | number | boolean | readonly (string | number)[] | undefined>
>;

/** Loads what checks an answer: a schema of a route. Who gets no answer need not wait for it. */
export type Shape<T> = () => Promise<{ parse(value: unknown): T }>;

/** What an answer is that was checked by it. */
export type AnswerOf<S extends Shape<unknown>> = ReturnType<Awaited<ReturnType<S>>["parse"]>;

export type AdminQuestion = {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as they are, in place of a body in JSON: a bundle. */
  readonly chunks?: AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
};

export type AdminExchange = { readonly status: number; readonly body: AsyncIterable<Uint8Array> };

/** A text is JSON. */
export type AdminBody = string | AsyncIterable<Uint8Array>;

/** One way to the admin face. Throws `upstream-unavailable`, `denied`, `aborted`. */
export type AdminWay = {
  /** Where it is, for messages: a URL, or a storage directory. */
  readonly where: string;
  /** What is begun ends with this process. */
  readonly isAlone?: boolean;
  send(
    method: string,
    target: string,
    body: AdminBody | undefined,
    signal?: AbortSignal,
  ): Promise<AdminExchange>;
};

export class AdminClient {
  readonly #way: AdminWay;

  constructor(way: AdminWay) {
    this.#way = way;
  }

  get where(): string {
    return this.#way.where;
  }

  /** True where no server answers: what is begun ends with this process. */
  get isAlone(): boolean {
    return this.#way.isAlone === true;
  }

  /** The whole answer. Throws the error that the server answers. */
  async ask<T>(shape: Shape<T>, question: AdminQuestion): Promise<T> {
    const { body } = await this.#open(question);
    return await this.#checked(shape, await this.#text(body, question.signal));
  }

  /** The bytes of an answer as they come; what it ends with is the caller's to know. */
  async *bytes(question: AdminQuestion): AsyncGenerator<Uint8Array> {
    const { body } = await this.#open(question);
    try {
      for await (const chunk of body) yield chunk;
    } catch (error) {
      throw this.#broken(question.signal, error);
    }
    if (question.signal?.aborted === true) throw stopped();
  }

  async get<T>(shape: Shape<T>, path: string, query: Query = {}): Promise<T> {
    return await this.ask(shape, { method: "GET", path, query });
  }

  /** Each line of an answer that comes bit by bit; its end before it was done is `upstream-unavailable`. */
  async *lines<T>(shape: Shape<T>, question: AdminQuestion): AsyncGenerator<T> {
    const { body } = await this.#open(question);
    try {
      const lines = createInterface({ input: Readable.from(body, { objectMode: false }) });
      for await (const line of lines) yield this.#checked(shape, line);
    } catch (error) {
      throw this.#broken(question.signal, error);
    }
    if (question.signal?.aborted === true) throw stopped();
  }

  /** Each snapshot of the stream of events, until `signal` aborts; its end before that is `upstream-unavailable`. */
  async *snapshots<T>(shape: Shape<T>, path: string, signal: AbortSignal): AsyncGenerator<T> {
    const { body } = await this.#open({ method: "GET", path, signal });
    try {
      let kind = "";
      for await (const line of createInterface({ input: Readable.from(body, { objectMode: false }) })) {
        const [, name, value = ""] = /^(event|data): (.*)$/s.exec(line) ?? [];
        if (name === "event") kind = value;
        else if (name === "data" && kind === "snapshot") yield await this.#checked(shape, value);
      }
    } catch (error) {
      throw this.#broken(signal, error);
    }
    throw this.#broken(signal, undefined);
  }

  async #open({ method, path, query, body, chunks, signal }: AdminQuestion): Promise<AdminExchange> {
    const sent = chunks ?? (body === undefined ? undefined : JSON.stringify(body));
    const exchange = await this.#way.send(method, `${path}${queryOf(query)}`, sent, signal);
    if (exchange.status < 400) return exchange;
    throw await refusalOf(await this.#text(exchange.body, signal), exchange.status, this.where);
  }

  async #text(body: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<string> {
    try {
      return await textOf(body);
    } catch (error) {
      throw this.#broken(signal, error);
    }
  }

  async #checked<T>(shape: Shape<T>, text: string): Promise<T> {
    const schema = await shape();
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      const sentence = `What answers at ${this.where} is no Granary, or one of another version: its answer is not understood.`;
      throw new GranaryError("upstream-protocol", sentence, { cause, saysWhatToDo: true });
    }
  }

  #broken(signal: AbortSignal | undefined, cause: unknown): unknown {
    if (signal?.aborted === true) return stopped();
    if (cause instanceof GranaryError) return cause;
    const text = `The Granary at ${this.where} ended before it had answered.`;
    return new GranaryError("upstream-unavailable", text, { cause, saysWhatToDo: true });
  }
}

function stopped(): GranaryError {
  return new GranaryError("aborted", "It was stopped.");
}

/** Somebody else's server may answer at an address: its words are not shown. */
async function refusalOf(text: string, status: number, where: string): Promise<GranaryError> {
  const parsed = (await errorSchema()).safeParse(jsonOf(text));
  if (parsed.success) return new GranaryError(parsed.data.error.code, parsed.data.error.message);
  const sentence = `${where} answered ${status}, and not as the admin face of a Granary does.`;
  return new GranaryError("upstream-protocol", sentence, { saysWhatToDo: true });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const MOST_ANSWER_BYTES = 256 * 2 ** 20;

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MOST_ANSWER_BYTES) throw new GranaryError("upstream-protocol", "The answer is too long.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function queryOf(query: Query = {}): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) pairs.append(name, String(one));
    }
  }
  return pairs.size === 0 ? "" : `?${pairs.toString()}`;
}
