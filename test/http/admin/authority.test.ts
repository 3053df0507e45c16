/** Shows who gets the certificate that the proxy's clients must trust, and in what form. */
import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import type { AdminParts } from "../../../src/http/admin/admin-parts.ts";
import { caPem } from "../../support/throwaway-tls.ts";
import { startAdmin, TOKEN, unreachable } from "./admin-world.ts";

function partsWith(authority: AdminParts["authority"]): AdminParts {
  return Object.create(unreachable().parts, { authority: { value: authority } });
}

test("whoever may look gets it as a file that phones and browsers know", async () => {
  const admin = await startAdmin({
    parts: partsWith(() => ({ certificate: caPem })),
    token: TOKEN,
    view: "anyone",
  });
  const { status, headers, text } = await admin.ask("/ca.crt");
  expect([status, headers["content-type"]]).toEqual([200, "application/x-x509-ca-cert"]);
  expect(headers["content-disposition"]).toBe('attachment; filename="ca.crt"');
  expect(text).toBe(caPem);
  expect(new X509Certificate(text).ca).toBe(true);
});

test("where looking needs the token, it does too", async () => {
  const admin = await startAdmin({
    parts: partsWith(() => ({ certificate: caPem })),
    token: TOKEN,
    view: "token",
  });
  expect((await admin.ask("/ca.crt")).status).toBe(401);
  const headers = { authorization: `Bearer ${TOKEN}` };
  expect((await admin.ask("/ca.crt", { headers })).text).toBe(caPem);
});

test("without a proxy there is none, and the answer says where one comes from", async () => {
  const admin = await startAdmin({ parts: partsWith(undefined) });
  const { status, json } = await admin.ask("/ca.crt");
  expect(status).toBe(404);
  expect(json?.error).toEqual({ code: "not-found", message: expect.stringContaining("section proxy") });
});
