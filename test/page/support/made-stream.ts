/**
 * Owns a stream of made-up snapshots for the real page: a proxy before a real admin face that passes everything through as it is, and answers
 * only what changes from second to second itself. So a test shows fills, clients and days that no test could wait for.
 */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { Status } from "../../../src/http/admin/routes/status-routes.ts";

type ToldEvent = { readonly id: number; readonly at: number; readonly kind: string; readonly text: string };

const AGAIN_MS = 3_000;

export class MadeStream {
  readonly #server: Server;
  readonly #listeners = new Set<ServerResponse>();
  #last: Status | undefined;
  /** What `/api/v1/traffic/minutes` answers. */
  minutes: Status["traffic"]["minutes"] = [];

  private constructor(admin: string) {
    this.#server = createServer((asked, answer) => this.#answer(admin, asked, answer));
  }

  static async start(cleanup: AsyncDisposableStack, admin: string): Promise<MadeStream> {
    const made = new MadeStream(admin);
    await new Promise<void>((resolve) => made.#server.listen(0, "127.0.0.1", resolve));
    // A stream that is silent is given up by the page.
    const timer = setInterval(() => made.#last !== undefined && made.send(made.#last), AGAIN_MS);
    cleanup.defer(() => {
      clearInterval(timer);
      made.#server.closeAllConnections();
      made.#server.close();
    });
    return made;
  }

  /** The page's address by way of this stream. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Everybody who listens gets it, and who comes later gets the last one. */
  send(status: Status): void {
    this.#last = status;
    this.#write(`event: snapshot\ndata: ${JSON.stringify(status)}\n\n`);
  }

  tell(event: ToldEvent & { readonly facts: Readonly<Record<string, string | number>> }): void {
    this.#write(`id: ${event.id}\nevent: event\ndata: ${JSON.stringify(event)}\n\n`);
  }

  #write(text: string): void {
    for (const listener of this.#listeners) listener.write(text);
  }

  #answer(admin: string, asked: IncomingMessage, answer: ServerResponse): void {
    const { pathname } = new URL(asked.url ?? "/", this.url);
    if (pathname === "/api/v1/events") this.#listen(answer);
    else if (pathname === "/api/v1/status" && this.#last !== undefined) json(answer, this.#last);
    else if (pathname === "/api/v1/events/past") json(answer, { items: [] });
    else if (pathname === "/api/v1/traffic/minutes") json(answer, { items: this.minutes });
    else pass(admin, asked, answer);
  }

  #listen(answer: ServerResponse): void {
    answer.writeHead(200, { "Content-Type": "text/event-stream" });
    answer.write("retry: 2000\n\n");
    this.#listeners.add(answer);
    answer.on("close", () => this.#listeners.delete(answer));
    if (this.#last !== undefined) answer.write(`event: snapshot\ndata: ${JSON.stringify(this.#last)}\n\n`);
  }
}

function json(answer: ServerResponse, body: unknown): void {
  answer.setHeader("Content-Type", "application/json").end(JSON.stringify(body));
}

/** To the admin face, as if it had been asked itself: it lets in no names but its own. */
function pass(admin: string, asked: IncomingMessage, answer: ServerResponse): void {
  const { host: _, origin: __, referer: ___, ...headers } = asked.headers;
  const options = { method: asked.method ?? "GET", headers };
  const onward = request(new URL(asked.url ?? "/", admin), options, (came) => {
    answer.writeHead(came.statusCode ?? 502, came.headers);
    came.pipe(answer);
  });
  onward.on("error", () => answer.destroy());
  asked.pipe(onward);
}

const NONE = { served: 0, fetched: 0, saved: 0, pulls: 0 };
export const MADE_AT = Date.UTC(2026, 10, 28, 12, 0, 30);

/** A snapshot of a Granary that does nothing, except what is given. */
export function madeStatus(given: Partial<Status> = {}): Status {
  return {
    version: "0.1.0",
    startedAt: MADE_AT - 86_400_000,
    now: MADE_AT,
    fills: [],
    upstreams: [{ name: "docker.io", circuit: "closed" }],
    disk: { used: 0, budget: 2 ** 40, free: 2 ** 40 },
    blobs: 1,
    manifests: 1,
    pins: 0,
    pulls: [],
    clients: [],
    traffic: { today: NONE, all: NONE, minutes: [] },
    troubles: [],
    ...given,
  };
}

type Fill = Status["fills"][number];

/** A fill of its own digest; `at` makes it another one. */
export function madeFill(at: number, given: Partial<Fill> = {}): Fill {
  const size = given.size ?? 2 ** 30;
  const runs = given.runs ?? [];
  return {
    digest: `sha256:${at.toString(16).padStart(64, "0")}`,
    upstream: "docker.io",
    state: "filling",
    size,
    present: runs.reduce((sum, { start, end }) => sum + end - start, 0),
    lanes: given.lanesAt?.length ?? 0,
    readers: given.readersAt?.length ?? 0,
    waits: 0,
    purpose: "waited",
    begunAt: MADE_AT - 60_000 + at,
    bytesPerSecond: 1e6,
    serves: [
      {
        repository: `library/image-${at}`,
        tag: "latest",
        client: "10.0.0.7",
        purpose: "waited",
        readers: 1,
        waiting: 0,
      },
    ],
    runs,
    lanesAt: [],
    readersAt: [],
    ...given,
  };
}
