/**
 * Owns the first of the two requests that the tensor puller makes per blob: it drains a 200 whole and throws it away,
 * or takes a redirect to another host and port as the blob's URL.
 */
import { DeviceKey } from "./device-key.ts";
import { drop, exchange, type HttpExchange } from "./http-exchange.ts";

const TENSOR_USER_AGENT = "ollama-transfer/1.0";

const MOST_TURNS = 10;

export type TensorLogin = { readonly key: DeviceKey; token: string | undefined };

export function noLogin(): TensorLogin {
  return { key: new DeviceKey(), token: undefined };
}

/** The URL that the body is asked from. */
export async function resolveTensor(blobUrl: URL, login: TensorLogin, signal: AbortSignal): Promise<URL> {
  let url = blobUrl;
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const answer = await exchange(url, { headers: tensorHeaders(login), signal });
    if (answer.status === 200) {
      await drain(answer);
      return url;
    }
    drop(answer);
    if (answer.status === 401) {
      login.token = await login.key.token(answer.headers["www-authenticate"] ?? "", url, undefined);
      continue;
    }
    if (![301, 302, 307].includes(answer.status)) throw new Error(`status ${answer.status}`);
    const next = new URL(answer.headers.location ?? "", url);
    if (next.host !== blobUrl.host) return next;
    url = next;
  }
  throw new Error("too many redirects");
}

export function tensorHeaders(login: TensorLogin): Record<string, string> {
  return {
    "user-agent": TENSOR_USER_AGENT,
    ...(login.token !== undefined && { authorization: `Bearer ${login.token}` }),
  };
}

async function drain({ body }: HttpExchange): Promise<void> {
  for await (const chunk of body) void chunk;
}
