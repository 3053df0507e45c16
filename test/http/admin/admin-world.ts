/** Owns an admin listener for one test: the real application behind the real guard, on a port of loopback; its parts are the test's. */
import { onTestFinished } from "vitest";
import type { AdminParts } from "../../../src/http/admin/admin-parts.ts";
import { createAdminApp } from "../../../src/http/admin/app.ts";
import type { GuardOptions } from "../../../src/http/admin/guards/guard.ts";
import { serveAdmin } from "../../../src/http/serve-admin.ts";
import { type Clock, systemClock } from "../../../src/observe/clock.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import { ask, type WireRequest } from "../../support/wire.ts";

export const TOKEN = "a-token-that-nobody-can-guess-by-trying";

export type AdminWorldOptions = Partial<GuardOptions> & {
  readonly parts?: AdminParts;
  readonly clock?: Clock;
};

export async function startAdmin(options: AdminWorldOptions = {}) {
  const { parts = unreachable().parts, clock = systemClock, token, view = "token", hosts = [] } = options;
  const observers = { log: silentLog, metrics: createMetrics(), clock };
  const place = { port: 0, host: "127.0.0.1", token, view, hosts };
  const keeper = { keepToken: () => Promise.reject(new Error("not on loopback")), tokenPath: "" };
  const served = await serveAdmin(place, createAdminApp(parts), observers, keeper);
  if (served === undefined) throw new Error("it does not listen");
  onTestFinished(() => served.close());
  const { port } = served;
  return {
    ...served,
    async ask(target: string, request: WireRequest = {}) {
      const answer = await ask(port, target, request);
      const text = answer.body.toString();
      const isJson = String(answer.headers["content-type"]).startsWith("application/json");
      return {
        ...answer,
        text,
        json: isJson ? (JSON.parse(text) as { error?: { code: string } }) : undefined,
      };
    },
  };
}

/** Parts that remember whether any of them was asked for anything. */
export function unreachable() {
  const reached: string[] = [];
  const part = (path: string): unknown =>
    new Proxy(() => undefined, {
      get: (_, key) => part(`${path}.${String(key)}`),
      apply: () => {
        reached.push(path);
        throw new Error(`${path} was reached`);
      },
    });
  const parts = new Proxy({}, { get: (_, key) => part(String(key)) }) as AdminParts;
  return { parts, reached };
}
