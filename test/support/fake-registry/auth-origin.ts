/** Owns the token endpoint of the fake: `GET /token?service&scope`, with or without Basic. */
import type { RequestRecord } from "./account.ts";
import { type Reply, textReply } from "./send-reply.ts";
import type { FakeSettings } from "./settings.ts";
import type { Tokens } from "./tokens.ts";

const JSON_TYPE = { "content-type": "application/json" };

export function answerAuth(record: RequestRecord, settings: FakeSettings, tokens: Tokens): Reply {
  if (record.method !== "GET") return textReply(405, "", {});
  const identity = tokens.identityOf(record.headers.authorization);
  if (identity === undefined) {
    return textReply(401, JSON.stringify({ details: "incorrect username or password" }), JSON_TYPE);
  }
  const scopes = record.query.getAll("scope").flatMap((scope) => scope.split(" "));
  const token = tokens.issue(identity, scopes);
  const fields = {
    ...(settings.tokenFields !== "access_token" && { token }),
    ...(settings.tokenFields !== "token" && { access_token: token }),
    ...(settings.tokenExpiresIn !== undefined && { expires_in: settings.tokenExpiresIn }),
    issued_at: new Date().toISOString(),
  };
  return textReply(200, JSON.stringify(fields), JSON_TYPE);
}
