/** Shows that every client's real URL shapes lead to the right Target, and that nothing else leads anywhere. */
import { describe, expect, test } from "vitest";
import { BUILT_IN_UPSTREAMS, plainUpstream } from "../../src/config/defaults.ts";
import { isGranaryError } from "../../src/errors.ts";
import { createRouter, type Route, type RoutedUpstream, type RouteInput } from "../../src/routing/routing.ts";

const HEX = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
const DIGEST = `sha256:${HEX}`;
const HEX512 = `${HEX}${HEX}`;

const UPSTREAMS: RoutedUpstream[] = [
  ...Object.entries(BUILT_IN_UPSTREAMS).map(([name, { policy: _, ...traits }]) => ({
    ...plainUpstream(name),
    ...traits,
  })),
  { name: "reg:5000", aliases: [], names: "oci" },
  { name: "localhost", aliases: [], names: "oci" },
  { name: "override.io", aliases: [], names: "oci" },
];

const route = createRouter(UPSTREAMS);

type Given = Partial<Omit<RouteInput, "rawPath" | "rawQuery">>;

/** Asks for `url` (path and query as they stand on the wire) on the Hub listener, unless `given` says otherwise. */
function ask(url: string, given: Given = {}): Route {
  const [rawPath = "", rawQuery = ""] = url.split("?");
  const own = { listenerUpstream: "docker.io", hostHeader: "granary:5000", absoluteHost: undefined };
  return route({ ...own, ...given, rawPath, rawQuery });
}

function codeOf(url: string, given: Given = {}): string {
  try {
    return JSON.stringify(ask(url, given));
  } catch (error) {
    return isGranaryError(error) ? error.code : String(error);
  }
}

const OLLAMA = { listenerUpstream: "registry.ollama.ai" };

const manifest = (upstream: string, repository: string, tag: string) => ({
  kind: "manifest",
  upstream,
  repository,
  reference: { tag },
});
const manifestBy = (upstream: string, repository: string, digest: string) => ({
  kind: "manifest",
  upstream,
  repository,
  reference: { digest },
});
const blob = (upstream: string, repository: string, digest = DIGEST) => ({
  kind: "blob",
  upstream,
  repository,
  digest,
});

describe("one image under all its names", () => {
  test.each([
    "/v2/library/alpine/manifests/3",
    "/v2/alpine/manifests/3",
    "/v2/library/alpine/manifests/3?ns=docker.io",
    "/v2/library/alpine/manifests/3?ns=registry-1.docker.io",
    "/v2/library/alpine/manifests/3?ns=index.docker.io",
    "/v2/docker.io/library/alpine/manifests/3",
    "/v2/docker.io/alpine/manifests/3",
    "/v2/docker.io/library/alpine/manifests/3?ns=docker.io",
    "/docker.io/v2/library/alpine/manifests/3",
  ])("%s is docker.io/library/alpine:3", (url) => {
    expect(ask(url).target).toEqual(manifest("docker.io", "library/alpine", "3"));
  });

  test.each([
    "/v2/library/alpine/manifests/3?ns=docker.io",
    "/v2/docker.io/alpine/manifests/3",
    "/docker.io/v2/alpine/manifests/3",
  ])("%s is the same on the listener of another upstream", (url) => {
    expect(ask(url, OLLAMA).target).toEqual(manifest("docker.io", "library/alpine", "3"));
  });
});

const SHAPES: readonly [string, string, Given, object][] = [
  [
    "Docker 20.10, mirror",
    "/v2/library/tiny/manifests/latest",
    {},
    manifest("docker.io", "library/tiny", "latest"),
  ],
  [
    "Docker 20.10, by digest",
    `/v2/library/tiny/manifests/${DIGEST}`,
    {},
    manifestBy("docker.io", "library/tiny", DIGEST),
  ],
  ["Docker 20.10, layer", `/v2/library/tiny/blobs/${DIGEST}`, {}, blob("docker.io", "library/tiny")],
  [
    "Docker 29, mirror with a path",
    "/docker.io/v2/library/tiny/manifests/latest?ns=docker.io",
    OLLAMA,
    manifest("docker.io", "library/tiny", "latest"),
  ],
  [
    "containerd, hosts.toml",
    `/v2/library/tiny/blobs/${DIGEST}?ns=docker.io`,
    OLLAMA,
    blob("docker.io", "library/tiny"),
  ],
  [
    "containerd, override_path",
    "/v2/override.io/library/tiny/manifests/v1?ns=override.io",
    {},
    manifest("override.io", "library/tiny", "v1"),
  ],
  ["containerd, port in ns", "/v2/org/x/manifests/1?ns=reg:5000", {}, manifest("reg:5000", "org/x", "1")],
  [
    "containerd, escaped port in ns",
    "/v2/org/x/manifests/1?ns=reg%3A5000&foo=bar",
    {},
    manifest("reg:5000", "org/x", "1"),
  ],
  ["quay by ns", "/v2/org/x/manifests/1?ns=quay.io", {}, manifest("quay.io", "org/x", "1")],
  ["quay by prefix", "/v2/quay.io/org/x/manifests/1", {}, manifest("quay.io", "org/x", "1")],
  ["one segment at quay gets no library/", "/v2/quay.io/x/manifests/1", {}, manifest("quay.io", "x", "1")],
  [
    "podman, skopeo",
    "/v2/docker.io/library/tiny/manifests/latest",
    OLLAMA,
    manifest("docker.io", "library/tiny", "latest"),
  ],
  ["podman, registry with a port", "/v2/reg:5000/org/x/manifests/1", {}, manifest("reg:5000", "org/x", "1")],
  ["podman, escaped port", "/v2/reg%3A5000/org/x/manifests/1", {}, manifest("reg:5000", "org/x", "1")],
  ["localhost is a host", "/v2/localhost/org/x/manifests/1", {}, manifest("localhost", "org/x", "1")],
  [
    "BuildKit, mirror with a path",
    "/v2/docker.io/library/tiny/manifests/latest?ns=docker.io",
    OLLAMA,
    manifest("docker.io", "library/tiny", "latest"),
  ],
  ["kaniko, crane", "/v2/ghcr.io/org/app/web/manifests/v1.2", {}, manifest("ghcr.io", "org/app/web", "v1.2")],
  [
    "regclient",
    "/v2/docker.io/library/tiny/manifests/latest?ns=registry-1.docker.io",
    {},
    manifest("docker.io", "library/tiny", "latest"),
  ],
  [
    "cosign",
    `/v2/org/x/manifests/sha256-${HEX}.sig?ns=ghcr.io`,
    {},
    manifest("ghcr.io", "org/x", `sha256-${HEX}.sig`),
  ],
  [
    "prefix in upper case",
    "/v2/Docker.IO/library/tiny/manifests/latest",
    OLLAMA,
    manifest("docker.io", "library/tiny", "latest"),
  ],
  [
    "a domain-scoped project of gcr.io",
    "/v2/google.com/cloudsdktool/sdk/manifests/1?ns=gcr.io",
    {},
    manifest("gcr.io", "google.com/cloudsdktool/sdk", "1"),
  ],
  [
    "a repository called manifests",
    "/v2/org/manifests/manifests/v2",
    {},
    manifest("docker.io", "org/manifests", "v2"),
  ],
  ["sha512", `/v2/org/x/blobs/sha512:${HEX512}`, {}, blob("docker.io", "org/x", `sha512:${HEX512}`)],
  [
    "escaped colon in a digest",
    `/v2/library/llama3.2/blobs/sha256%3A${HEX}`,
    OLLAMA,
    blob("registry.ollama.ai", "library/llama3.2"),
  ],
  [
    "escaped colon, lower case",
    `/v2/library/llama3.2/blobs/sha256%3a${HEX}`,
    OLLAMA,
    blob("registry.ollama.ai", "library/llama3.2"),
  ],
  [
    "Ollama, own port",
    "/v2/library/llama3.2/manifests/latest",
    OLLAMA,
    manifest("registry.ollama.ai", "library/llama3.2", "latest"),
  ],
  [
    "Ollama, upper case and marks",
    "/v2/User_1-x/Llama-3.2_B.Instruct/manifests/Q4_K_M.gguf",
    OLLAMA,
    manifest("registry.ollama.ai", "User_1-x/Llama-3.2_B.Instruct", "Q4_K_M.gguf"),
  ],
  [
    "Ollama, tag of 80 characters",
    `/v2/library/m/manifests/${"T".repeat(80)}`,
    OLLAMA,
    manifest("registry.ollama.ai", "library/m", "T".repeat(80)),
  ],
  [
    "Ollama through HTTP_PROXY",
    "/v2/library/llama3.2/manifests/latest",
    { absoluteHost: "registry.ollama.ai" },
    manifest("registry.ollama.ai", "library/llama3.2", "latest"),
  ],
  [
    "hf.co through HTTP_PROXY",
    "/v2/bartowski/Llama-3.2-3B-Instruct-GGUF/manifests/IQ3_M",
    { ...OLLAMA, absoluteHost: "hf.co" },
    manifest("hf.co", "bartowski/Llama-3.2-3B-Instruct-GGUF", "IQ3_M"),
  ],
  [
    "HTTP_PROXY with a default port",
    "/v2/library/m/manifests/t",
    { absoluteHost: "Registry.Ollama.AI:80" },
    manifest("registry.ollama.ai", "library/m", "t"),
  ],
  ...["registry.ollama.ai", "ollama.com", "REGISTRY.ollama.ai:443"].map(
    (hostHeader): [string, string, Given, object] => [
      `DNS override, Host ${hostHeader}`,
      "/v2/library/m/manifests/t",
      { hostHeader },
      manifest("registry.ollama.ai", "library/m", "t"),
    ],
  ),
  ...["hf.co", "huggingface.co"].map((hostHeader): [string, string, Given, object] => [
    `DNS override, Host ${hostHeader}`,
    "/v2/User/Repo-GGUF/manifests/Q4",
    { ...OLLAMA, hostHeader },
    manifest("hf.co", "User/Repo-GGUF", "Q4"),
  ]),
  [
    "an unknown Host means the listener's own",
    "/v2/library/m/manifests/t",
    { ...OLLAMA, hostHeader: "cache.lan:11435" },
    manifest("registry.ollama.ai", "library/m", "t"),
  ],
  [
    "no Host at all",
    "/v2/library/m/manifests/t",
    { hostHeader: undefined },
    manifest("docker.io", "library/m", "t"),
  ],
  [
    "ns beside an Ollama name",
    "/v2/library/tiny/manifests/t?ns=docker.io",
    OLLAMA,
    manifest("docker.io", "library/tiny", "t"),
  ],
  [
    "tags",
    "/v2/library/tiny/tags/list?n=5&last=a&ns=docker.io",
    OLLAMA,
    { kind: "tags", upstream: "docker.io", repository: "library/tiny", query: "n=5&last=a" },
  ],
  [
    "tags without paging",
    "/v2/ghcr.io/org/x/tags/list",
    {},
    { kind: "tags", upstream: "ghcr.io", repository: "org/x", query: "" },
  ],
  [
    "referrers",
    `/v2/org/x/referrers/${DIGEST}?artifactType=a%2Fb&ns=ghcr.io`,
    {},
    { kind: "referrers", upstream: "ghcr.io", repository: "org/x", digest: DIGEST, artifactType: "a/b" },
  ],
  [
    "the longest name",
    `/v2/${"a/".repeat(127)}a/manifests/${"t".repeat(128)}?ns=ghcr.io`,
    {},
    manifest("ghcr.io", `${"a/".repeat(127)}a`, "t".repeat(128)),
  ],
];

describe("what each client asks for", () => {
  test.each(SHAPES)("%s: %s", (_, url, given, target) => {
    const found = ask(url, given);
    expect(found.target).toEqual(target);
    expect(found.upstream).toBe(found.target?.upstream);
  });

  test.each([
    ["/v2/", {}, "docker.io"],
    ["/v2", {}, "docker.io"],
    ["/v2/", OLLAMA, "registry.ollama.ai"],
    ["/ghcr.io/v2/", {}, "ghcr.io"],
    ["/ghcr.io/v2", {}, "ghcr.io"],
    ["/v2/?ns=quay.io", {}, "quay.io"],
    ["/v2/", { absoluteHost: "hf.co" }, "hf.co"],
  ] as const)("%s is the base endpoint", (url, given, upstream) => {
    expect(ask(url, given)).toMatchObject({ target: undefined, upstream });
  });
});

describe("a first segment that looks like a host, and is no upstream's name", () => {
  const GHCR = { listenerUpstream: "ghcr.io" };
  const NEITHER = createRouter(UPSTREAMS.filter(({ name }) => name !== "localhost"));
  const own = { hostHeader: "granary:5000", absoluteHost: undefined, rawQuery: "" };

  test.each<[string, Given, object]>([
    ["/v2/my.group/app/manifests/1", GHCR, manifest("ghcr.io", "my.group/app", "1")],
    ["/v2/my.group/app/web/manifests/1", GHCR, manifest("ghcr.io", "my.group/app/web", "1")],
    ["/v2/my.app/manifests/1", GHCR, manifest("ghcr.io", "my.app", "1")],
    [`/v2/my.group/app/blobs/${DIGEST}`, GHCR, blob("ghcr.io", "my.group/app")],
    [
      "/v2/my.group/app/manifests/1",
      { ...GHCR, hostHeader: undefined },
      manifest("ghcr.io", "my.group/app", "1"),
    ],
    ["/v2/my.group/app/manifests/1?ns=ghcr.io", {}, manifest("ghcr.io", "my.group/app", "1")],
    ["/v2/ghcr.io/my.group/app/manifests/1", {}, manifest("ghcr.io", "my.group/app", "1")],
    ["/ghcr.io/v2/my.group/app/manifests/1", {}, manifest("ghcr.io", "my.group/app", "1")],
    ["/v2/my.group/app/manifests/1", { absoluteHost: "ghcr.io" }, manifest("ghcr.io", "my.group/app", "1")],
    ["/v2/my.group/app/manifests/1", { hostHeader: "ghcr.io" }, manifest("ghcr.io", "my.group/app", "1")],
    ["/v2/quay.io/app/manifests/1", GHCR, manifest("quay.io", "app", "1")],
    ["/v2/reg:5000/app/manifests/1", GHCR, manifest("reg:5000", "app", "1")],
  ])("%s %j is a repository's own", (url, given, target) => {
    expect(ask(url, given).target).toEqual(target);
  });

  test("localhost too, where no upstream is called so", () => {
    const rawPath = "/v2/localhost/app/manifests/1";
    const found = NEITHER({ ...own, ...GHCR, rawPath });
    expect(found.target).toEqual(manifest("ghcr.io", "localhost/app", "1"));
    expect(NEITHER({ ...own, ...OLLAMA, rawPath }).target).toEqual(
      manifest("registry.ollama.ai", "localhost/app", "1"),
    );
    expect(ask(rawPath, GHCR).target).toEqual(manifest("localhost", "app", "1"));
  });

  test.each<[string, Given]>([
    ["/v2/unknown:5000/app/manifests/1", GHCR],
    ["/v2/My.Group/app/manifests/1", GHCR],
    ["/v2/unknown.io/org/x/manifests/1", OLLAMA],
    ["/v2/my.group/app/manifests/1", OLLAMA],
    ["/v2/my.group/app/manifests/1", {}],
    ["/v2/my.app/manifests/1", {}],
    ["/v2/docker.io/my.group/app/manifests/1", GHCR],
    ["/my.group/v2/app/manifests/1", GHCR],
  ])("%s %j can only be a registry, and none that is configured", (url, given) => {
    expect(codeOf(url, given)).toBe("route-unknown");
    expect(() => ask(url, given)).toThrow(/is no upstream of this mirror; add it under "upstreams"/);
  });
});

describe("what leads nowhere", () => {
  test.each([
    ["/v2/unknown.io/org/x/manifests/1", {}],
    ["/v2/unknown:5000/org/x/manifests/1", {}],
    ["/unknown.io/v2/org/x/manifests/1", {}],
    ["/prefix/v2/org/x/manifests/1", {}],
    ["/v2/org/x/manifests/1?ns=unknown.io", {}],
    ["/v2/org/x/manifests/1?ns=169.254.169.254", {}],
    ["/v2/unknown.io/x/manifests/1?ns=docker.io", {}],
    ["/v2/org/x/manifests/1", { absoluteHost: "example.com" }],
    ["/v2/org/x/manifests/1", { absoluteHost: "docker.io:8080" }],
    ["/v2/org/x/manifests/1", { absoluteHost: "user@docker.io" }],
    ["/v2/", { absoluteHost: "" }],
  ])("%s is an unknown upstream", (url, given) => {
    expect(codeOf(url, given)).toBe("route-unknown");
  });

  test.each([
    "/v2/library%2Falpine/manifests/3",
    "/v2/library/%2e%2e/manifests/3",
    "/v2/library/../alpine/manifests/3",
    "/v2/./alpine/manifests/3",
    "/v2/library//alpine/manifests/3",
    "//v2/library/alpine/manifests/3",
    "/v2/library/alpine\\x/manifests/3",
    "/v2/library/al\u0000pine/manifests/3",
    "/v2/library/al%00pine/manifests/3",
    "/v2/library/al\u0001pine/manifests/3",
    "/v2/library/älpine/manifests/3",
    "/v2/Library/Alpine/manifests/3",
    "/v2/library/alpine-/manifests/3",
    "/v2/manifests/3",
    `/v2/${"a/".repeat(128)}a/manifests/t?ns=ghcr.io`,
    "v2/library/alpine/manifests/3",
    "*",
  ])("%j is not a name or path of a registry", (url) => {
    expect(codeOf(url)).toBe("reference-invalid");
  });

  test.each(["/v2/a/b/c/manifests/t", "/v2/llama3/manifests/t", "/v2/-a/b/manifests/t"])(
    "%s is not a name at Ollama, where one has exactly a namespace and a model",
    (url) => {
      expect(codeOf(url, OLLAMA)).toBe("reference-invalid");
    },
  );

  test.each([
    "/v2/org/x/manifests/.INVALID_MANIFEST_NAME",
    `/v2/org/x/manifests/${"t".repeat(129)}`,
    "/v2/org/x/manifests/",
    "/v2/org/x/manifests/a+b",
    "/v2/org/x/manifests/latest/",
    "/v2/_catalog",
    "/v2/org/x",
    "/v2/org/x/tags/other",
    `/v2/org/x/chunksums/${DIGEST}`,
    `/v2/library/m/unknown/${DIGEST}`,
    "/",
    "/healthz",
    "/v3/x",
  ])("%s is not there", (url) => {
    expect(codeOf(url)).toBe("not-found");
  });

  test.each([
    "/v2/org/x/manifests/sha256:bad",
    "/v2/org/x/blobs/sha256:baddigeststring",
    "/v2/org/x/blobs/latest",
    "/v2/org/x/blobs/",
    `/v2/org/x/blobs/sha256:${HEX.toUpperCase()}`,
    `/v2/org/x/blobs/md5:${HEX}`,
    "/v2/org/x/referrers/sha256:bad",
  ])("%s has no digest", (url) => {
    expect(codeOf(url)).toBe("digest-invalid");
  });
});

describe("a path and an ns that disagree", () => {
  test("the configured prefix wins, and that is reported", () => {
    expect(ask("/v2/quay.io/org/x/manifests/1?ns=docker.io")).toMatchObject({
      upstream: "quay.io",
      target: { repository: "org/x" },
      ns: "docker.io",
      overruledNs: "docker.io",
    });
    expect(ask("/quay.io/v2/org/x/manifests/1?ns=unknown.io").overruledNs).toBe("unknown.io");
  });

  test("two names of one upstream do not disagree", () => {
    expect(ask("/v2/docker.io/alpine/manifests/1?ns=registry-1.docker.io").overruledNs).toBeUndefined();
  });
});
