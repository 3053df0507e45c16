/**
 * Owns how a machine as a whole is made to trust an authority: one file where its tools look for such, and the program that takes it in. Programs
 * that bring a list of authorities of their own do not see it.
 */
import { join } from "node:path";
import { authorityFile } from "../client-plan.ts";
import type { Command, TrustSetup } from "./trust-plan.ts";

const RESTART =
  "Programs read the list when they start: restart those that run, such as Docker (sudo systemctl restart docker).";

/** Alpine has the same folder and the same program. */
export const debianTrust = oneFile(
  "/usr/local/share/ca-certificates/granary.crt",
  ["update-ca-certificates"],
  // What is gone goes out of the list only when that is made from nothing.
  ["update-ca-certificates", "--fresh"],
);

export const redhatTrust = oneFile(
  "/etc/pki/ca-trust/source/anchors/granary.crt",
  ["update-ca-trust"],
  ["update-ca-trust"],
);

function oneFile(path: string, added: Command, removed: Command): TrustSetup {
  return {
    plan: async ({ certificate }, root) => ({
      files: [authorityFile(join(root, path), certificate)],
      after: [added],
      notes: [RESTART],
    }),
    undo: async (root) => ({ places: [join(root, path)], before: [], after: [removed] }),
  };
}

const KEYCHAIN = "/Library/Keychains/System.keychain";
const KEPT = "/Library/Application Support/Granary/granary.crt";

/** The keychain has it then; the file stays because taking it back needs it. */
export const macosTrust: TrustSetup = {
  plan: async ({ certificate }, root) => ({
    files: [authorityFile(join(root, KEPT), certificate)],
    after: [["security", "add-trusted-cert", "-d", "-r", "trustRoot", "-k", KEYCHAIN, KEPT]],
    notes: ["Restart Docker Desktop: it takes the keychain over when it starts."],
  }),
  undo: async (root) => ({
    places: [join(root, KEPT)],
    before: [["security", "remove-trusted-cert", "-d", KEPT]],
    after: [],
  }),
};
