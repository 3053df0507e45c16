/** Owns the token endpoint of the fake: `GET /token?service&scope`, with or without Basic, and the OAuth2 POST. */
import type { RequestRecord } from "./account.ts";
import { type Reply, textReply } from "./send-reply.ts";
import type { FakeSettings } from "./settings.ts";
import { ANONYMOUS, type Tokens } from "./tokens.ts";

const JSON_TYPE = { "content-type": "application/json" };

export function answerAuth(record: RequestRecord, settings: FakeSettings, tokens: Tokens): Reply {
  if (record.method === "POST" && Object.keys(settings.identityTokens).length > 0) {
    return answerOAuth(record, settings, tokens);
  }
  if (record.method !== "GET") return textReply(405, "", {});
  const identity = tokens.identityOf(record.headers.authorization);
  if (identity === undefined) {
    return textReply(401, JSON.stringify({ details: "incorrect username or password" }), JSON_TYPE);
  }
  const service = record.query.get("service") ?? undefined;
  return issued(identity, record.query.getAll("scope"), service, settings, tokens);
}

/** distribution's token specification, OAuth2: all four fields are required, and the answer has only `access_token`. */
function answerOAuth({ form }: RequestRecord, settings: FakeSettings, tokens: Tokens): Reply {
  const isWhole = ["service", "client_id", "scope"].every((field) => form?.get(field));
  if (form?.get("grant_type") !== "refresh_token" || !isWhole) {
    return textReply(400, JSON.stringify({ error: "invalid_request" }), JSON_TYPE);
  }
  const identity = settings.identityTokens[form.get("refresh_token") ?? ""];
  if (identity === undefined) return textReply(401, JSON.stringify({ error: "invalid_grant" }), JSON_TYPE);
  const service = form.get("service") ?? undefined;
  const answered = { ...settings, tokenFields: "access_token" } as const;
  return issued(identity, form.getAll("scope"), service, answered, tokens);
}

function issued(
  identity: string,
  asked: readonly string[],
  service: string | undefined,
  settings: FakeSettings,
  tokens: Tokens,
): Reply {
  if (identity === ANONYMOUS && settings.anonymousLimits.has("token")) return textReply(429, "", {});
  const scopes = asked.flatMap((scope) => scope.split(" "));
  if (settings.refusesTokens && !tokens.mayReadAll(identity, scopes)) return textReply(403, "denied", {});
  const token = tokens.issue(identity, scopes, service);
  const fields = {
    ...(settings.tokenFields !== "access_token" && { token }),
    ...(settings.tokenFields !== "token" && { access_token: token }),
    ...(settings.tokenExpiresIn !== undefined && { expires_in: settings.tokenExpiresIn }),
    issued_at: new Date().toISOString(),
  };
  return textReply(200, JSON.stringify(fields), JSON_TYPE);
}
