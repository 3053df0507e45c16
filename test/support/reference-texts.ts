/** Owns texts that look like references and are one about half of the time: fast-check puts them together from parts. */
import fc from "fast-check";

const HEX = "0123456789abcdef".repeat(4);

const host = fc.constantFrom(
  ...["docker.io/", "index.docker.io/", "ghcr.io/", "GHCR.IO/", "localhost/", "LocalHost:1/", "host:5000/"],
  ...["[::1]:5000/", "[FE80::2]/", "127.0.0.1/", "my_host:1/", "hf.co/", "a..b/", "x:y/", "/", "", "", ""],
);
const word = fc.stringMatching(/^[a-z0-9]{1,4}(?:[._-][a-z0-9]{1,3})?$/);
const oddWord = fc.stringMatching(/^[A-Za-z0-9_.-]{0,6}$/);
const path = fc
  .array(fc.oneof({ weight: 6, arbitrary: word }, { weight: 1, arbitrary: oddWord }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join("/"));
const tag = fc.oneof(
  fc.constant(""),
  fc.stringMatching(/^:[A-Za-z0-9_][A-Za-z0-9._-]{0,8}$/),
  fc.constantFrom(":", ":a:b", "::", ":-"),
);
const digest = fc.constantFrom("", "", "", `@sha256:${HEX}`, `@sha512:${HEX}${HEX}`, "@sha256:abcd", "@");
const scheme = fc.constantFrom("", "", "", "oci://", "ollama://", "docker://", "http://");

export const referenceTexts = fc.tuple(scheme, host, path, tag, digest).map((parts) => parts.join(""));
