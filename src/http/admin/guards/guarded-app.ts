/**
 * Owns the admin application as a network sees it: the guard before every path, the pages by which a browser logs in, and the headers that
 * keep pages of other sites out of every answer.
 */
import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { getCookie, setCookie } from "hono/cookie";
import type { GranaryError } from "../../../errors.ts";
import { plainAddress } from "../../request-log.ts";
import { failureAnswer } from "../admin-error.ts";
import type { AnsweringApp } from "../app-kind.ts";
import { contentPolicy } from "../content-policy.ts";
import type { AdminVisit, Guard } from "./guard.ts";
import { goOnPage, loginPage } from "./login-pages.ts";

type Bindings = { Bindings: HttpBindings };

export type GuardedApp = Hono<Bindings>;

type Asked = Context<Bindings>;

const HEADERS: readonly (readonly [string, string])[] = [
  ["Content-Security-Policy", contentPolicy()],
  ["X-Content-Type-Options", "nosniff"],
  ["X-Frame-Options", "DENY"],
  // Not "no-referrer": of our own form, browsers would then say `Origin: null`, as of a stranger's (Fetch Standard, 3.2).
  ["Referrer-Policy", "same-origin"],
  ["Cross-Origin-Resource-Policy", "same-origin"],
  ["Cache-Control", "no-store"],
];

/**
 * Over plain http from elsewhere browsers ignore it, and say so on the console of everybody who looks. They send `Sec-Fetch-Site` where they
 * would not: to https and to their own machine (Fetch Metadata, 2.3).
 */
const OPENER_POLICY = ["Cross-Origin-Opener-Policy", "same-origin"] as const;

/** A form with one token. */
const MOST_FORM_BYTES = 16 * 1024;

export function guardedApp(app: AnsweringApp, guard: Guard): GuardedApp {
  const guarded: GuardedApp = new Hono();
  guarded.use(async (context, next) => {
    const refusal = guard.refusalOfOrigin(visitOf(context));
    if (refusal !== undefined) context.res = failureAnswer(refusal);
    else await next();
    const { headers } = context.res;
    for (const [name, value] of HEADERS) if (!headers.has(name)) headers.set(name, value);
    if (context.req.header("sec-fetch-site") !== undefined) headers.set(...OPENER_POLICY);
  });
  addLogin(guarded, guard);
  guarded.all("*", async (context) => {
    const visit = visitOf(context);
    const refusal = await guard.refusalOfVisitor(visit);
    if (refusal === undefined)
      return await app.fetch(context.req.raw, { ...context.env, access: guard.accessOf(visit) });
    return wantsPage(context) ? context.redirect("/login", 303) : failureAnswer(refusal);
  });
  guarded.onError((error) => failureAnswer(error));
  return guarded;
}

/** The link of the log, and the form for who has only the token. */
function addLogin(guarded: GuardedApp, guard: Guard): void {
  guarded.get("/login", async (context) => {
    const token = context.req.query("token");
    if (!guard.needsToken) return context.redirect("/", 303);
    return token === undefined ? context.html(loginPage()) : await logIn(context, guard, token);
  });
  const limit = bodyLimit({ maxSize: MOST_FORM_BYTES, onError: (context) => context.html(loginPage(), 413) });
  guarded.post("/login", limit, async (context) => {
    const { token } = await context.req.parseBody();
    return await logIn(context, guard, typeof token === "string" ? token.trim() : "");
  });
  guarded.post("/logout", (context) => {
    setCookie(context, cookieName(context), "", { ...COOKIE, maxAge: 0 });
    return context.redirect("/login", 303);
  });
}

const COOKIE = { httpOnly: true, sameSite: "Strict", path: "/" } as const;

async function logIn(context: Asked, guard: Guard, token: string): Promise<Response> {
  const refusal = await guard.refusalOfToken(token, clientOf(context));
  if (refusal !== undefined) return refusedLogin(context, refusal);
  const { value, lifeMs } = guard.newCookie();
  const secure = isBehindTls(context);
  setCookie(context, cookieName(context), value, { ...COOKIE, secure, maxAge: lifeMs / 1000 });
  // The token stands in the address then, of a page that has no form. From the form, the page goes on where its reader was before.
  if (context.req.method === "GET") context.header("Referrer-Policy", "no-referrer");
  // Not a redirect: after a click on a link elsewhere, a browser would leave the cookie out of what it is redirected to.
  return context.html(goOnPage());
}

function refusedLogin(context: Asked, { code, message }: GranaryError): Response | Promise<Response> {
  return context.html(loginPage(message), code === "rate-limited" ? 429 : 401);
}

function visitOf(context: Asked): AdminVisit {
  const { req } = context;
  return {
    method: req.method,
    client: clientOf(context),
    header: (name) => req.header(name),
    target: URL.parse(req.url)?.host,
    cookie: getCookie(context, cookieName(context)),
  };
}

/** The browser speaks https to whoever stands in front of us: it says so itself when it sends a form, else that one says it. */
function isBehindTls({ req }: Asked): boolean {
  return req.header("origin")?.startsWith("https:") === true || req.header("x-forwarded-proto") === "https";
}

/** Cookies do not know ports: of two Granarys on one host each has its own. */
function cookieName({ req }: Asked): string {
  return `granary-${/:(\d+)$/.exec(req.header("host") ?? "")?.[1] ?? "80"}`;
}

/** None where the application is asked without a connection, as tests do. */
function clientOf({ env }: Asked): string | undefined {
  return plainAddress(env?.incoming?.socket.remoteAddress);
}

function wantsPage({ req }: Asked): boolean {
  return req.method === "GET" && req.header("accept")?.includes("text/html") === true;
}
