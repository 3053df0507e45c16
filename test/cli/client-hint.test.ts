/** Shows that what the terminal says of clients can be typed as it is: with the scheme that the listener speaks. */
import { expect, test } from "vitest";
import { clientHint } from "../../src/cli/client-hint.ts";

test.each([
  [
    "docker.io",
    "http://10.0.0.5:5000",
    ': "registry-mirrors": ["http://10.0.0.5:5000"] in /etc/docker/daemon.json',
  ],
  [
    "docker.io",
    "https://hub.lab:5000",
    ': "registry-mirrors": ["https://hub.lab:5000"] in /etc/docker/daemon.json',
  ],
  ["registry.ollama.ai", "http://10.0.0.5:11435", ": ollama pull --insecure 10.0.0.5:11435/library/MODEL"],
  ["registry.ollama.ai", "https://models.lab:11435", ": ollama pull models.lab:11435/library/MODEL"],
  ["ghcr.io", "https://hub.lab:5001", ""],
])("for %s at %s", (upstream, url, hint) => {
  expect(clientHint(upstream, url)).toBe(hint);
});
