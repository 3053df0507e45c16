import { expect, it } from "vitest";
import { withoutUserInfo } from "../../src/oci/redact.ts";

it.each([
  ["/v2/u:SECRET@ghcr.io/app/manifests/1", "/v2/***@ghcr.io/app/manifests/1"],
  ["/v2/SECRET@ghcr.io/app/tags/list", "/v2/***@ghcr.io/app/tags/list"],
  ["/v2/u%3ASECRET%40ghcr.io/app/tags/list", "/v2/***@ghcr.io/app/tags/list"],
  ["http://u:SECRET@ghcr.io/v2/", "http://***@ghcr.io/v2/"],
  ["ftp://u:SEC@RET@ghcr.io/v2/", "ftp://***@ghcr.io/v2/"],
  ["https://u:SEC,;=&'RET@ghcr.io", "https://***@ghcr.io"],
  ['"u:SECRET@ghcr.io" is no upstream', '"***@ghcr.io" is no upstream'],
])("a login before a host is no part of what is told: %s", (text, told) => {
  expect(withoutUserInfo(text)).toBe(told);
  expect(told).not.toContain("SECRET");
});

it.each([
  "docker.io/library/alpine:3@sha256:0123",
  "fake.test/a/b@sha512:01",
  "/v2/a/b/manifests/sha256:01",
  "alpine@sha256%3A01",
])("a digest behind a name is no host: %s", (text) => expect(withoutUserInfo(text)).toBe(text));
