/**
 * Owns `GET /ca.crt`: the certificate of the proxy's authority, for clients that are to trust it. It is a file, like those of the page, and no part
 * of the API. It never has the key.
 */
import { GranaryError } from "../../../errors.ts";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";

/** By this type browsers and phones know what to do with it; the text is PEM, which all of them take for it. */
const HEADERS = {
  "Content-Type": "application/x-x509-ca-cert",
  "Content-Disposition": 'attachment; filename="ca.crt"',
};

export function authorityRoutes(app: AdminApp, { authority }: Pick<AdminParts, "authority">): void {
  app.get("/ca.crt", (context) => {
    const certificate = authority?.()?.certificate;
    if (certificate === undefined) throw none();
    return context.body(certificate, 200, HEADERS);
  });
}

function none(): GranaryError {
  const text =
    "This Granary has no certificate authority: there is one where its settings have a section proxy.";
  return new GranaryError("not-found", text, { saysWhatToDo: true });
}
