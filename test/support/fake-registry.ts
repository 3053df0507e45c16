/**
 * Owns the one fake of the tests: a registry, its token server and its CDN as real HTTP on three loopback
 * addresses, with faults per request and an account of what was asked. It must never answer better than a real
 * registry would: what it cannot do, it refuses.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { Digest } from "../../src/oci/digest.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { DOCKER_LIST, OCI_INDEX } from "../../src/oci/media-types.ts";
import { Account, type OriginName, type RequestFilter, type RequestRecord } from "./fake-registry/account.ts";
import { answerAuth } from "./fake-registry/auth-origin.ts";
import { answerCdn } from "./fake-registry/cdn-origin.ts";
import { Contents, contentOfBytes, contentOfPattern, digestOfContent } from "./fake-registry/contents.ts";
import { type Fault, type PlannedFault, takeFault } from "./fake-registry/faults.ts";
import { imageConfig, imageManifest } from "./fake-registry/images.ts";
import { Listener, type ListenerTls } from "./fake-registry/listener.ts";
import { parseRequest } from "./fake-registry/parse-request.ts";
import { type RegistryState, tooManyRequests } from "./fake-registry/registry-answer.ts";
import { answerRegistry } from "./fake-registry/registry-origin.ts";
import { closed, type Reply, sendReply, textReply } from "./fake-registry/send-reply.ts";
import { type FakeMode, type FakeSettings, settingsOf } from "./fake-registry/settings.ts";
import { Tokens } from "./fake-registry/tokens.ts";
import type { OriginUrls, Published } from "./slow-line/publish.ts";

export type { RequestFilter, RequestRecord } from "./fake-registry/account.ts";
export type { Fault, PlannedFault } from "./fake-registry/faults.ts";
export type { FakeMode, FakeSettings } from "./fake-registry/settings.ts";

export type FakeOptions = {
  readonly mode: FakeMode;
  readonly settings?: Partial<FakeSettings>;
  /** Serves https with this certificate; with `ca`, clients must show a certificate of that CA. */
  readonly tls?: ListenerTls;
};

export type ImageOptions = {
  /** Bytes of each layer. */
  readonly layers: readonly number[];
  /** First seed of the layers' content; two images with one seed share layers of one size. */
  readonly seed?: number;
  readonly format?: "docker" | "oci";
};

export type FakeImage = { manifestDigest: Digest; configDigest: Digest; layerDigests: Digest[] };

export async function startFakeRegistry(options: FakeOptions): Promise<FakeRegistry> {
  const fake = new FakeRegistry(options);
  await fake.resume();
  return fake;
}

export class FakeRegistry implements Published {
  readonly settings: FakeSettings;
  readonly contents = new Contents();
  /** First match wins; each counts down its `times`. */
  readonly faults: PlannedFault[] = [];
  readonly #account = new Account();
  readonly #tokens: Tokens;
  readonly #listeners: Record<OriginName, Listener>;
  readonly #spent = new Map<string, number>();
  #aheadMs = 0;
  #published: OriginUrls | undefined;

  constructor({ mode, settings, tls }: FakeOptions) {
    this.settings = { ...settingsOf(mode), ...settings };
    this.#tokens = new Tokens(this.settings, () => this.now());
    this.#listeners = {
      registry: this.#listener("registry", "127.0.0.1", tls),
      auth: this.#listener("auth", "127.0.0.2", tls),
      cdn: this.#listener("cdn", "127.0.0.3", tls),
    };
  }

  /** Base URL of the registry, without "/v2". */
  get url(): string {
    return this.#urls.registry;
  }
  get authUrl(): string {
    return this.#urls.auth;
  }
  get cdnUrl(): string {
    return this.#urls.cdn;
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
  /** Host and port of the registry. */
  get host(): string {
    return new URL(this.url).host;
  }

  /** Everything that was asked, in order. */
  get requests(): readonly RequestRecord[] {
    return this.#account.requests;
  }
  /** CDN requests that carried Authorization. */
  get violations(): readonly RequestRecord[] {
    return this.#account.violations;
  }
  matching(filter: RequestFilter): RequestRecord[] {
    return this.#account.matching(filter);
  }
  count(filter: RequestFilter = {}): number {
    return this.matching(filter).length;
  }
  bytesSentFor(digest: string): number {
    return this.#account.bytesSentFor(digest);
  }
  maxConcurrentFor(digest: string): number {
    return this.#account.maxConcurrentFor(digest);
  }
  forgetRequests(): void {
    this.#account.clear();
  }
  /** Open client connections, of all three origins. */
  get connections(): number {
    return Object.values(this.#listeners).reduce((sum, listener) => sum + listener.connections, 0);
  }
  /** Pulls spent by an identity ("anonymous" or a user name). */
  pullsSpent(identity = "anonymous"): number {
    return this.#spent.get(identity) ?? 0;
  }

  addBlob(bytes: Uint8Array, repository?: string): Digest {
    const digest = digestOf(bytes);
    this.contents.addBlob(digest, contentOfBytes(bytes), repository);
    return digest;
  }

  addGeneratedBlob(pattern: { seed: number; size: number }, repository?: string): Digest {
    const digest = digestOfContent(pattern);
    this.contents.addBlob(digest, contentOfPattern(pattern.seed, pattern.size), repository);
    return digest;
  }

  addManifest(repository: string, tag: string | undefined, bytes: Uint8Array, mediaType: string): Digest {
    const digest = digestOf(bytes);
    this.contents.addManifest(repository, tag, { digest, mediaType, bytes: Buffer.from(bytes) });
    return digest;
  }

  addImage(repository: string, tag: string | undefined, options: ImageOptions): FakeImage {
    const { layers, seed = 1, format = "docker" } = options;
    const config = imageConfig(seed, layers);
    const configDigest = this.addBlob(config, repository);
    const layerDigests = layers.map((size, index) =>
      this.addGeneratedBlob({ seed: seed + index, size }, repository),
    );
    const described = layerDigests.map((digest, index) => ({ digest, size: layers[index] ?? 0 }));
    const { bytes, mediaType } = imageManifest(
      format,
      { digest: configDigest, size: config.length },
      described,
    );
    return {
      manifestDigest: this.addManifest(repository, tag, bytes, mediaType),
      configDigest,
      layerDigests,
    };
  }

  /** An index over manifests that are there already; platforms are "os/architecture". */
  addIndex(
    repository: string,
    tag: string | undefined,
    children: readonly { readonly digest: Digest; readonly platform: string }[],
    format: "docker" | "oci" = "oci",
  ): Digest {
    const manifests = children.map(({ digest, platform }) => {
      const [os, architecture] = platform.split("/");
      const child = this.contents.manifestIn(repository, digest);
      if (child === undefined) throw new Error(`${digest} is not in ${repository}`);
      const { mediaType, bytes } = child;
      return { mediaType, digest, size: bytes.length, platform: { os, architecture } };
    });
    const mediaType = format === "docker" ? DOCKER_LIST : OCI_INDEX;
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }, null, 2));
    return this.addManifest(repository, tag, bytes, mediaType);
  }

  moveTag(repository: string, tag: string, digest: Digest): void {
    this.contents.repository(repository).tags.set(tag, digest);
  }
  deleteTag(repository: string, tag: string): void {
    this.contents.repository(repository).tags.delete(tag);
  }

  /** Plans `fault` for the next `times` requests whose path matches. */
  fail(match: PlannedFault["match"], fault: Fault, more: Partial<Omit<PlannedFault, "fault">> = {}): void {
    this.faults.push({ match, fault, times: 1, ...more });
  }

  /** Every token that was issued stops working. */
  revokeTokens(): void {
    this.#tokens.revoke();
  }
  /** Moves the fake's clock (tokens, signed URLs) ahead. */
  advance(ms: number): void {
    this.#aheadMs += ms;
  }
  /** The fake's clock, epoch ms. */
  now(): number {
    return Date.now() + this.#aheadMs;
  }

  /** The upstream goes down: connections are cut, new ones refused. */
  async pause(): Promise<void> {
    await Promise.all(Object.values(this.#listeners).map((listener) => listener.close()));
  }
  /** Comes back on the same ports. */
  async resume(): Promise<void> {
    await Promise.all(Object.values(this.#listeners).map((listener) => listener.open()));
  }
  async close(): Promise<void> {
    await this.pause();
  }

  get #urls(): OriginUrls {
    return this.#published ?? this.ownUrls;
  }

  #listener(origin: OriginName, address: string, tls: ListenerTls | undefined): Listener {
    const onRequest = (request: IncomingMessage, response: ServerResponse) => {
      void this.#serve(origin, request, response);
    };
    return new Listener(address, onRequest, tls);
  }

  async #serve(origin: OriginName, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const record = parseRequest(origin, request);
    this.#account.requests.push(record);
    if (request.method === "POST" && origin === "auth") {
      record.form = new URLSearchParams(await text(request));
    } else request.resume();
    if (origin === "cdn" && record.headers.authorization !== undefined) this.#account.violations.push(record);
    response.once("close", () => {
      record.finished = true;
    });
    response.on("error", () => response.destroy());
    const fault = takeFault(this.faults, record);
    if (fault?.kind === "ignore-range") delete record.headers.range;
    const waitMs = this.settings.latencyMs[origin] + (fault?.kind === "delay" ? fault.ms : 0);
    if (waitMs > 0) await sleep(waitMs, undefined, { ref: false });
    const refusal = await this.#refuse(fault, record, response);
    if (refusal === "gone") return;
    const end = this.#account.beginBody(record);
    const pace = {
      bandwidth: origin === "auth" ? undefined : this.settings.bandwidth[origin],
      sleep: (ms: number) => sleep(ms, undefined, { ref: false }),
    };
    await sendReply(response, record, refusal ?? this.#answer(record), fault, pace);
    end();
  }

  #answer(record: RequestRecord): Reply {
    if (record.origin === "auth") return answerAuth(record, this.settings, this.#tokens);
    if (record.origin === "cdn") return answerCdn(record, this.contents, this.now());
    return answerRegistry(record, this.#state());
  }

  #state(): RegistryState {
    return {
      contents: this.contents,
      settings: this.settings,
      tokens: this.#tokens,
      authUrl: this.authUrl,
      cdnUrl: this.cdnUrl,
      registryUrl: this.url,
      spent: this.#spent,
      now: () => this.now(),
    };
  }

  /** The answer that a fault puts in place of the true one; "gone" when it sent nothing and ended the connection. */
  async #refuse(
    fault: Fault | undefined,
    record: RequestRecord,
    response: ServerResponse,
  ): Promise<Reply | "gone" | undefined> {
    switch (fault?.kind) {
      case "reset":
        response.socket?.resetAndDestroy();
        return "gone";
      case "hang-up":
        response.socket?.end();
        return "gone";
      case "hang":
        await closed(response);
        return "gone";
      case "status":
        return textReply(fault.status, fault.body ?? "", { "content-type": "text/plain", ...fault.headers });
      case "rate-limited":
        return tooManyRequests(fault);
      case "redirect": {
        const location = typeof fault.location === "string" ? fault.location : fault.location(record);
        return textReply(fault.status ?? 307, "", { location });
      }
      case "redirect-loop":
        return textReply(fault.status ?? 307, "", { location: `${record.path}?${record.query}` });
      default:
        return undefined;
    }
  }
}
