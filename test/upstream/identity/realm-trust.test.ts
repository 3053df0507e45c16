/** Owns the tests of which token servers are trusted with a login: real registries' are, a stranger's beside a registry is not. */
import { describe, expect, it } from "vitest";
import { isTrustedRealm, registrableDomain } from "../../../src/upstream/identity/realm-trust.ts";

describe("a realm", () => {
  it.each([
    ["https://auth.docker.io/token", "https://registry-1.docker.io", [], true],
    ["https://quay.io/v2/auth", "https://quay.io", [], true],
    ["https://ghcr.io/token", "https://lscr.io", [], false],
    ["https://ghcr.io/token", "https://lscr.io", ["ghcr.io"], true],
    ["https://other.co.uk/token", "https://registry.co.uk", [], false],
    ["https://auth.example.co.uk/token", "https://registry.example.co.uk", [], true],
    ["https://evil.azurecr.io/token", "https://victim.azurecr.io", [], false],
    ["https://evil.dkr.ecr.eu-west-1.amazonaws.com/", "https://v.dkr.ecr.eu-west-1.amazonaws.com", [], false],
    ["http://auth.docker.io/token", "https://registry-1.docker.io", ["auth.docker.io"], false],
    ["http://10.0.0.2:5001/token", "http://10.0.0.2:5000", [], true],
    ["http://10.0.0.2/token", "http://10.0.0.1", [], false],
    ["http://10.0.0.2:5001/token", "http://10.0.0.1", ["10.0.0.2:5001"], true],
    ["http://localhost/token", "http://registry", [], false],
    ["ftp://registry/token", "http://registry", [], false],
    ["https://docker.io.evil.com/token", "https://registry-1.docker.io", [], false],
    ["https://evildocker.io/token", "https://registry-1.docker.io", [], false],
    ["https://auth.reg_1.corp.lab/token", "https://reg_1.corp.lab", [], true],
    ["https://auth.b\u00fccher.de/token", "https://registry.xn--bcher-kva.de", [], true],
    ["https://auth.docker.io./token", "https://registry-1.docker.io", [], true],
    ["https://quay.io./v2/auth", "https://quay.io", [], true],
    ["http://localhost:5001/token", "http://localhost:5000", [], true],
    ["http://registry:5001/token", "http://registry:5000", [], true],
    ["http://auth/token", "http://registry", [], false],
    ["http://[::1]:5001/token", "http://[::1]:5000", [], true],
    ["http://[::2]/token", "http://[::1]", [], false],
    ["https://auth.registry.lab/token", "https://registry.lab", [], true],
    ["https://evil.lab/token", "https://registry.lab", [], false],
  ])("%s for %s with %j is trusted: %s", (realm, challenger, allowed, expected) => {
    expect(isTrustedRealm(new URL(realm), new URL(challenger), allowed)).toBe(expected);
  });

  it("has the registrable domain of its name", () => {
    expect(registrableDomain("a.b.docker.io")).toBe("docker.io");
    expect(registrableDomain("co.uk")).toBeUndefined();
    expect(registrableDomain("com")).toBeUndefined();
    expect(registrableDomain("[::1]")).toBeUndefined();
  });
});

describe("the realm of a registry that people use", () => {
  it.each([
    ["https://auth.docker.io/token", "https://registry-1.docker.io"],
    ["https://ghcr.io/token", "https://ghcr.io"],
    ["https://quay.io/v2/auth", "https://quay.io"],
    ["https://gitlab.com/jwt/auth", "https://registry.gitlab.com"],
    ["https://gitlab.corp.example/jwt/auth", "https://registry.corp.example:5050"],
    ["https://public.ecr.aws/token/", "https://public.ecr.aws"],
    ["https://123.dkr.ecr.eu-west-1.amazonaws.com/", "https://123.dkr.ecr.eu-west-1.amazonaws.com"],
    ["https://lab.azurecr.io/oauth2/token", "https://lab.azurecr.io"],
    ["https://mcr.microsoft.com/token", "https://mcr.microsoft.com"],
    ["https://gcr.io/v2/token", "https://gcr.io"],
    ["https://europe-docker.pkg.dev/v2/token", "https://europe-docker.pkg.dev"],
    ["https://nvcr.io/proxy_auth", "https://nvcr.io"],
    ["https://registry.redhat.io/auth/realms/rhcc/token", "https://registry.redhat.io"],
    ["https://dockerauth.cn-hangzhou.aliyuncs.com/auth", "https://registry.cn-hangzhou.aliyuncs.com"],
    ["https://dockerauth-ee.cn-hangzhou.aliyuncs.com/auth", "https://x.cn-hangzhou.cr.aliyuncs.com"],
    ["https://us.icr.io/oauth/token", "https://us.icr.io"],
    ["https://iad.ocir.io/20180419/docker/token", "https://iad.ocir.io"],
    ["https://company.jfrog.io/v2/token", "https://company.jfrog.io"],
    ["https://auth.registry.lab/token", "https://registry.lab"],
  ])("%s for %s is trusted without a word in the configuration", (realm, challenger) => {
    expect(isTrustedRealm(new URL(realm), new URL(challenger), [])).toBe(true);
  });
});

describe("a login does not go to a stranger who has a name beside the registry's", () => {
  it.each([
    "web.app",
    "onrender.com",
    "nip.io",
    "10.0.0.1.nip.io",
    "sslip.io",
    "traefik.me",
    "azurecr.io",
    "cloudapp.azure.com",
    "westeurope.cloudapp.azure.com",
    "azurewebsites.net",
    "westeurope.azurecontainerapps.io",
    "dkr.ecr.us-east-1.amazonaws.com",
    "dkr.ecr.cn-north-1.amazonaws.com.cn",
    "execute-api.us-east-1.amazonaws.com",
    "lambda-url.us-east-1.on.aws",
    "cloudfront.net",
    "a.run.app",
    "appspot.com",
    "github.io",
    "gitlab.io",
    "pages.dev",
    "workers.dev",
    "r2.dev",
    "account.r2.cloudflarestorage.com",
    "herokuapp.com",
    "fly.dev",
    "vercel.app",
    "netlify.app",
    "hf.space",
    "koyeb.app",
    "pkg.dev",
    "duckdns.org",
    "mooo.com",
    "ngrok.io",
    "ngrok-free.app",
    "trycloudflare.com",
    "loca.lt",
    "app.github.dev",
    "cn-hangzhou.fc.aliyuncs.com",
    "co.uk",
    "com.au",
    "xn--mxtq1m.hk",
  ])("under %s", (shared) => {
    const [evil, registry] = [new URL(`https://evil.${shared}/token`), new URL(`https://reg.${shared}`)];
    expect(isTrustedRealm(evil, registry, [])).toBe(false);
    expect(isTrustedRealm(new URL(`https://${shared}/token`), registry, [])).toBe(false);
    expect(isTrustedRealm(registry, registry, [])).toBe(true);
    expect(isTrustedRealm(evil, registry, [evil.hostname])).toBe(true);
  });
});
