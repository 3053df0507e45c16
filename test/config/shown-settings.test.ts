/** Shows that settings can be shown to anybody: no secret of a configuration is in what is shown, whatever key it stands at. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSettings } from "../../src/config/load.ts";
import { shownSettings } from "../../src/config/shown-settings.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { caPem, clientCert, clientKey, serverCert, serverKey } from "../support/throwaway-tls.ts";

test("no secret is shown, and everything else is", async () => {
  const directory = await tempDirectory();
  const file = (name: string) => join(directory, name);
  const texts = {
    "ca.pem": caPem,
    "c.crt": clientCert,
    "c.key": clientKey,
    "s.crt": serverCert,
    "s.key": serverKey,
  };
  for (const [name, text] of Object.entries({ ...texts, password: "secret-in-a-file" }))
    await writeFile(file(name), text);
  const variable = (name: string) => `$\{${name}}`;
  await writeFile(
    file("granary.yaml"),
    JSON.stringify({
      listeners: [
        {
          port: 5443,
          upstream: "docker.io",
          certFile: file("s.crt"),
          keyFile: file("s.key"),
          login: { username: "lab-user", passwordFile: file("password") },
        },
      ],
      upstreams: {
        "docker.io": { username: variable("USER_NAME"), password: variable("PASSWORD"), tagLifetime: "7m" },
        "registry.lab": {
          caFile: file("ca.pem"),
          clientCertFile: file("c.crt"),
          clientKeyFile: file("c.key"),
        },
      },
      admin: { token: variable("TOKEN") },
    }),
  );
  const env = {
    USER_NAME: "secret-user",
    PASSWORD: "secret-password",
    TOKEN: "secret-token-of-the-admin-face",
  };
  const shown = JSON.stringify(shownSettings(await loadSettings(file("granary.yaml"), env)));
  expect(shown).not.toContain("secret-");
  expect(shown).not.toContain("-----BEGIN");
  for (const part of ['"port":5443', '"tagLifetimeMs":420000', '"name":"registry.lab"', "ca.pem"])
    expect(shown).toContain(part);
});
