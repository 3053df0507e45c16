/**
 * Owns Docker Hub's manners in front of the real upstream: tokens, ratelimit headers, blobs by redirect to a signed
 * CDN URL, on three origins, with the fake registry's own parts. It must never make content up: manifests, lists and
 * existence come from docker-registry as they are, blob bytes from its files.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { parseDigest } from "../../../src/oci/digest.ts";
import { Account, type OriginName, type RequestRecord } from "../../support/fake-registry/account.ts";
import { answerAuth } from "../../support/fake-registry/auth-origin.ts";
import { answerCdn, signPath } from "../../support/fake-registry/cdn-origin.ts";
import { type BlobContent, Contents } from "../../support/fake-registry/contents.ts";
import { Listener } from "../../support/fake-registry/listener.ts";
import { parseRequest } from "../../support/fake-registry/parse-request.ts";
import { errorReply } from "../../support/fake-registry/registry-answer.ts";
import { bytesReply, type Reply, sendReply, textReply } from "../../support/fake-registry/send-reply.ts";
import { type FakeSettings, settingsOf } from "../../support/fake-registry/settings.ts";
import { Tokens } from "../../support/fake-registry/tokens.ts";
import type { OriginUrls, Published } from "../../support/slow-line/publish.ts";
import type { ImageName } from "./image-client.ts";
import type { RealUpstream } from "./real-upstream.ts";

/** What of docker-registry's answer Docker Hub gives as well. */
const KEPT_HEADERS = ["content-type", "content-length", "docker-content-digest", "etag", "link"];
const LIMIT = 1_000_000;

export async function startHubFront(
  cleanup: AsyncDisposableStack,
  upstream: RealUpstream,
): Promise<HubFront> {
  const front = new HubFront(upstream);
  cleanup.defer(() => front.close());
  await front.resume();
  return front;
}

export class HubFront implements Published {
  readonly account = new Account();
  /** `bandwidth.cdn` caps each connection of the CDN origin. */
  readonly settings: FakeSettings = settingsOf("hub");
  readonly #upstream: RealUpstream;
  readonly #tokens = new Tokens(this.settings, Date.now);
  readonly #files = new Contents();
  readonly #handles: number[] = [];
  readonly #listeners: Record<OriginName, Listener>;
  /** Paths of tags that were moved, each with the path of what it stands for now. */
  readonly #moved = new Map<string, string>();
  #pulls = 0;
  #published: OriginUrls | undefined;

  constructor(upstream: RealUpstream) {
    this.#upstream = upstream;
    const listen = (origin: OriginName, address: string) =>
      new Listener(address, (request, response) => void this.#serve(origin, request, response), undefined);
    this.#listeners = {
      registry: listen("registry", "127.0.0.1"),
      auth: listen("auth", "127.0.0.2"),
      cdn: listen("cdn", "127.0.0.3"),
    };
  }

  /** Base URL of the registry origin, without "/v2". */
  get url(): string {
    return this.#urls.registry;
  }

  /** Base URLs where it listens, whatever was published. */
  get ownUrls(): OriginUrls {
    const { registry, auth, cdn } = this.#listeners;
    return { registry: registry.url, auth: auth.url, cdn: cdn.url };
  }

  /** The origins are reached at these base URLs, a proxy's; challenges and redirects name them. */
  publish(urls: OriginUrls): void {
    this.#published = urls;
  }

  /** The upstream goes down: connections are cut, new ones refused. */
  async pause(): Promise<void> {
    await Promise.all(Object.values(this.#listeners).map((listener) => listener.close()));
  }

  /** Comes (back) up, on the same ports. */
  async resume(): Promise<void> {
    await Promise.all(Object.values(this.#listeners).map((listener) => listener.open()));
  }

  /** From now on the tag stands for what `other`, a tag of the same repository, stands for. The registry behind is left as it is. */
  moveTag({ repository, tag }: ImageName, other: string): void {
    this.#moved.set(`/v2/${repository}/manifests/${tag}`, `/v2/${repository}/manifests/${other}`);
  }

  async close(): Promise<void> {
    await this.pause();
    for (const handle of this.#handles.splice(0)) closeSync(handle);
  }

  get #urls(): OriginUrls {
    return this.#published ?? this.ownUrls;
  }

  async #serve(origin: OriginName, request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const record = parseRequest(origin, request);
    this.account.requests.push(record);
    if (origin === "cdn" && record.headers.authorization !== undefined) this.account.violations.push(record);
    response.on("error", () => response.destroy());
    response.once("close", () => {
      record.finished = true;
    });
    const end = this.account.beginBody(record);
    const reply = await this.#answer(record).catch((error) => textReply(502, String(error), {}));
    const pace = { bandwidth: this.settings.bandwidth.cdn, sleep: (ms: number) => sleep(ms) };
    await sendReply(response, record, reply, undefined, pace);
    end();
  }

  async #answer(record: RequestRecord): Promise<Reply> {
    if (record.origin === "auth") return answerAuth(record, this.settings, this.#tokens);
    if (record.origin === "cdn") return answerCdn(record, this.#files, Date.now());
    if (!this.#admits(record)) return this.#challenge(record);
    if (record.kind === "ping") return textReply(200, "{}", { "content-type": "application/json" });
    if (record.kind === "blob") return this.#answerBlob(record);
    return this.#forward(record);
  }

  #admits({ headers, repository }: RequestRecord): boolean {
    const token = this.#tokens.find(headers.authorization);
    if (token === undefined || token.expired) return false;
    return repository === undefined || token.repositories.includes(repository);
  }

  /** Docker Hub's own wording (docs/protocol.md#challenges-and-tokens). */
  #challenge({ repository }: RequestRecord): Reply {
    const scope = repository === undefined ? "" : `,scope="repository:${repository}:pull"`;
    const realm = `${this.#urls.auth}/token`;
    const detail = [{ Type: "repository", Class: "", Name: repository, Action: "pull" }];
    return errorReply(401, "UNAUTHORIZED", "authentication required", {
      detail: repository === undefined ? null : detail,
      headers: {
        "www-authenticate": `Bearer realm="${realm}",service="registry.docker.io"${scope}`,
        "docker-ratelimit-source": "192.0.2.1",
      },
    });
  }

  async #forward(record: RequestRecord): Promise<Reply> {
    const answer = await this.#ask(record);
    const bytes = Buffer.from(await answer.arrayBuffer());
    // Docker Hub says 401 for a repository that is not there (docs/protocol.md#docker-hub-absent-repositories).
    if (answer.status === 404 && !(await this.#exists(record.repository))) return this.#challenge(record);
    const headers = { ...keptHeaders(answer), ...(record.kind === "manifest" && this.#budget(record)) };
    if (record.method === "HEAD") return { status: answer.status, headers };
    return bytesReply(answer.status, bytes, { ...headers, "content-length": String(bytes.length) });
  }

  async #answerBlob(record: RequestRecord): Promise<Reply> {
    const answer = await this.#ask({ ...record, method: "HEAD" });
    if (answer.status !== 200) return errorReply(404, "BLOB_UNKNOWN", "blob unknown to registry");
    if (record.method === "HEAD") return { status: 200, headers: keptHeaders(answer) };
    const digest = parseDigest(record.reference ?? "");
    if (!this.#files.blobs.has(digest)) this.#files.addBlob(digest, this.#open(digest));
    const location = `${this.#urls.cdn}${signPath(digest, Date.now() + this.settings.signedForMs)}`;
    return textReply(307, "", { location });
  }

  async #exists(repository: string | undefined): Promise<boolean> {
    const answer = await fetch(`${this.#upstream.url}/v2/${repository}/tags/list`);
    await answer.body?.cancel();
    return answer.ok;
  }

  #ask({ method, path, query, headers }: RequestRecord): Promise<Response> {
    const search = query.size === 0 ? "" : `?${query}`;
    const accept = headers.accept ?? "*/*";
    const meant = this.#moved.get(path) ?? path;
    return fetch(`${this.#upstream.url}${meant}${search}`, { method, headers: { accept } });
  }

  /** A GET of a manifest is a pull, a HEAD is free. */
  #budget({ method }: RequestRecord): Record<string, string> {
    if (method === "GET") this.#pulls += 1;
    return {
      "ratelimit-limit": `${LIMIT};w=21600`,
      "ratelimit-remaining": `${LIMIT - this.#pulls};w=21600`,
      "docker-ratelimit-source": "192.0.2.1",
    };
  }

  #open(digest: string): BlobContent {
    const handle = openSync(this.#upstream.blobPath(digest), "r");
    this.#handles.push(handle);
    return {
      size: fstatSync(handle).size,
      fill: (offset, into) => {
        readSync(handle, into, 0, into.length, offset);
      },
    };
  }
}

function keptHeaders(answer: Response): Record<string, string> {
  const version = { "docker-distribution-api-version": "registry/2.0" };
  const kept = KEPT_HEADERS.flatMap((name) => {
    const value = answer.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  return { ...version, ...Object.fromEntries(kept) };
}
