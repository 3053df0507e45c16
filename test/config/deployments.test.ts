/**
 * Shows that the deployment files of a fleet fit together: names, ports, mounts and secrets of one are those of the other, and each
 * granary.yaml among them loads with the environment that its nodes have. That their tools take them was tried by hand.
 */
import { execFile } from "node:child_process";
import { copyFile, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseBytes, parseDuration } from "../../src/bytes/units.ts";
import { USUAL_CONFIG } from "../../src/config/find-config.ts";
import { loadSettings } from "../../src/config/load.ts";
import type { Settings } from "../../src/config/settings.ts";
import {
  CONFIG,
  type Compose,
  type Container,
  type Manifest,
  type Pod,
  readCompose,
  readConfigFile,
  readManifests,
} from "../support/deployment.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const SECRET = "0123456789abcdef0123456789abcdef";

describe("config/docker-compose.fleet.yml", () => {
  const NAME = "docker-compose.fleet.yml";
  const NODES = ["granary-1", "granary-2", "granary-3"];
  const ENV = {
    GRANARY_DATABASE_PASSWORD: "a-database-password",
    GRANARY_BUCKET_KEY: "a-bucket-key",
    GRANARY_FLEET_SECRET: SECRET,
    GRANARY_ADMIN_TOKEN: "a-token-of-the-admin-face",
  };
  let compose: Compose;
  let settings: Settings;

  beforeAll(async () => {
    compose = await readCompose(NAME, ENV);
    settings = await loadSettings(join(CONFIG, "granary.fleet.yaml"), service("granary-1").environment ?? {});
  });

  function service(name: string) {
    const found = compose.services[name];
    if (found === undefined) throw new Error(`no service ${name}`);
    return found;
  }

  test("has no secret in it, and starts nothing without them", async () => {
    const text = (await readConfigFile(NAME)).replaceAll(/^ *#.*$/gm, "");
    const variables = [...text.matchAll(/\$\{?(\w+)(:[?-])?/g)].map(([, name, kind]) => [name, kind]);
    const required = new Set(
      variables.filter(([name]) => name !== "GRANARY_ADDRESS").map(([, kind]) => kind),
    );
    expect([...required]).toEqual([":?"]);
    expect(new Set(variables.map(([name]) => name))).toEqual(
      new Set([...Object.keys(ENV), "GRANARY_ADDRESS"]),
    );
    const named = (await readConfigFile(NAME)).match(/for name in (.*);/)?.[1]?.split(" ");
    expect(named?.toSorted(), "the command at the top makes all of them").toEqual(
      Object.keys(ENV).toSorted(),
    );
  });

  test("has three nodes that differ in nothing but their name, their page's port and their volume", () => {
    const built = Object.entries(compose.services).filter(([, { build }]) => build !== undefined);
    expect(built.map(([name]) => name)).toEqual(NODES);
    const { hostname: _, ports: __, volumes: ___, ...first } = service("granary-1");
    const pages = NODES.map((name) => {
      const { hostname, ports, volumes, ...rest } = service(name);
      expect(rest).toEqual(first);
      // Without `address` and `node` in the settings the host name is both.
      expect(hostname).toBe(name);
      expect(volumes).toEqual([`${name}:/data`, `./granary.fleet.yaml:${USUAL_CONFIG}:ro`]);
      return ports;
    });
    expect(pages).toEqual([["127.0.0.1:5080:5080"], ["127.0.0.1:5180:5080"], ["127.0.0.1:5280:5080"]]);
  });

  test("gives the nodes and the balancer no rights, and the nodes time to end", () => {
    const none = { read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] };
    for (const name of [...NODES, "balancer"]) expect(service(name)).toMatchObject(none);
    expect(service("granary-1").tmpfs).toEqual(["/tmp"]);
    expect(parseDuration(service("granary-1").stop_grace_period ?? "")).toBeGreaterThan(settings.drainMs);
    expect(settings.storage.directory).toBe("/data");
    expect(settings.admin).toMatchObject({ port: 5080, host: "0.0.0.0", token: ENV.GRANARY_ADMIN_TOKEN });
  });

  test("leads the nodes to its database and its bucket, by the logins that these have", () => {
    const { database, bucket, internal } = settings.fleet ?? {};
    const { username, password, hostname, pathname } = new URL(database ?? "");
    const { environment } = service(hostname);
    expect({ username, password, database: pathname }).toEqual({
      username: environment?.POSTGRES_USER,
      password: environment?.POSTGRES_PASSWORD,
      database: `/${environment?.POSTGRES_DB}`,
    });
    const store = new URL(bucket?.endpoint ?? "");
    expect(service(store.hostname).command).toContain(`-s3.port=${store.port} `);
    const { identities } = JSON.parse(compose.configs.s3?.content ?? "");
    expect(identities).toEqual([
      {
        name: "granary",
        credentials: [bucket?.keys],
        actions: ["Read", "Write", "List"].map((right) => `${right}:${bucket?.name}`),
      },
    ]);
    expect(String(service("bucket").command)).toContain(`s3.bucket.create -name ${bucket?.name}"`);
    expect(internal).toMatchObject({ port: 5081, address: undefined, secret: SECRET });
  });

  test("opens nothing but the balancer's ports and the pages, on loopback unless an address is named", async () => {
    const wanted = settings.listeners.map(({ port }) => `127.0.0.1:${port}:${port}`);
    expect(service("balancer").ports).toEqual(wanted);
    const open = Object.entries(compose.services).filter(([, { ports }]) => ports !== undefined);
    expect(open.map(([name]) => name)).toEqual([...NODES, "balancer"]);
    const named = await readCompose(NAME, { ...ENV, GRANARY_ADDRESS: "192.0.2.1" });
    expect(named.services.balancer?.ports).toEqual(
      wanted.map((port) => port.replace("127.0.0.1", "192.0.2.1")),
    );
  });

  test.each([
    ["haproxy.fleet.cfg", /^ {2}bind :(\d+)$/gm, /^ {2}server \S+ (\S+)$/gm],
    ["nginx.fleet.conf", /^ {4}listen (\d+);$/gm, /^ {4}server (\S+) /gm],
  ])("its balancer by %s leads each port to that port of each node", async (name, listen, server) => {
    const text = await readConfigFile(name);
    const ports = settings.listeners.map(({ port }) => String(port));
    expect([...text.matchAll(listen)].map(([, port]) => port)).toEqual(ports);
    expect([...text.matchAll(server)].map(([, place]) => place)).toEqual(
      ports.flatMap((port) => NODES.map((node) => `${node}:${port}`)),
    );
  });

  test("names only what is there: services that can be waited for, volumes, networks, files, versions", async () => {
    const files = await readdir(CONFIG);
    for (const [name, each] of Object.entries(compose.services)) {
      for (const network of each.networks ?? []) expect(compose.networks, name).toHaveProperty(network);
      for (const { source } of each.configs ?? []) expect(compose.configs, name).toHaveProperty(source);
      for (const volume of each.volumes ?? []) {
        const [source = ""] = volume.split(":");
        if (source.startsWith("./")) expect(files, name).toContain(source.slice(2));
        else expect(compose.volumes, name).toHaveProperty(source);
      }
      const needs = Array.isArray(each.depends_on) ? {} : (each.depends_on ?? {});
      for (const [needed, { condition }] of Object.entries(needs))
        if (condition === "service_healthy") expect(service(needed), needed).toHaveProperty("healthcheck");
      const image = each.build === undefined ? /^docker\.io\/\S+\/\S+:\d[\w.-]*$/ : /^granary$/;
      expect(each.image, name).toMatch(image);
    }
  });
});

describe("config/kubernetes", () => {
  const RESOURCES = ["statefulset.yaml", "services.yaml", "disruption-budget.yaml", "network-policy.yaml"];
  let all: readonly Manifest[];
  let set: Manifest["spec"];
  let pod: Pod;
  let container: Container;
  let secret: Manifest;
  let kustomization: {
    readonly resources: readonly string[];
    readonly configMapGenerator: readonly { readonly name: string; readonly files: readonly string[] }[];
    readonly images: readonly { readonly name: string; readonly newTag: string }[];
  };

  beforeAll(async () => {
    all = (await Promise.all(RESOURCES.map((name) => readManifests(`kubernetes/${name}`)))).flat();
    set = one("StatefulSet", "granary");
    pod = set.template.spec;
    [container] = pod.containers;
    [secret] = (await readManifests("kubernetes/secret.template.yaml")) as [Manifest];
    kustomization = parse(await readConfigFile("kubernetes/kustomization.yaml"));
  });

  function one(kind: string, name: string): Manifest["spec"] {
    const found = all.filter((each) => each.kind === kind && each.metadata.name === name);
    expect(found, `${kind} ${name}`).toHaveLength(1);
    return (found as [Manifest])[0].spec;
  }

  const settingsWith = (env: Record<string, string>) =>
    loadSettings(join(CONFIG, "kubernetes/granary.yaml"), env);

  function environment(): Record<string, string> {
    const values: Record<string, string> = {
      POD_NAME: "granary-0",
      DATABASE_URL: "postgres://granary:a-password@db.lab/granary?sslmode=verify-full",
    };
    return Object.fromEntries(container.env.map(({ name }) => [name, values[name] ?? SECRET]));
  }

  test("is what the kustomization lists, and no file beside it", async () => {
    expect(kustomization.resources).toEqual(RESOURCES);
    expect(kustomization.configMapGenerator).toEqual([{ name: "granary-settings", files: ["granary.yaml"] }]);
    const others = ["granary.yaml", "kustomization.yaml", "secret.template.yaml"];
    expect((await readdir(join(CONFIG, "kubernetes"))).toSorted()).toEqual(
      [...RESOURCES, ...others].toSorted(),
    );
    expect(all.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      "StatefulSet granary",
      "Service granary",
      "Service granary-nodes",
      "PodDisruptionBudget granary",
      "NetworkPolicy granary",
    ]);
    const [{ name, newTag } = { name: "", newTag: "" }] = kustomization.images;
    expect(container.image).toBe(name);
    expect(newTag).toMatch(/^\d/);
  });

  test("has settings that load with the environment of a pod, which has nothing else", async () => {
    const text = (await readConfigFile("kubernetes/granary.yaml")).replaceAll(/#.*$/gm, "");
    const variables = new Set([...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name));
    expect(new Set(container.env.map(({ name }) => name))).toEqual(variables);
    const { fleet } = await settingsWith(environment());
    expect(fleet?.internal.address).toBe(`granary-0.${set.serviceName}`);
    const pods = container.env.filter(({ valueFrom }) => valueFrom.fieldRef !== undefined);
    expect(pods.map(({ name, valueFrom }) => [name, valueFrom.fieldRef?.fieldPath])).toEqual([
      ["POD_NAME", "metadata.name"],
    ]);
  });

  test("takes each secret from the one of the template, which starts nothing before it is filled in", async () => {
    expect(secret.kind).toBe("Secret");
    const taken = container.env.flatMap(({ name, valueFrom: { secretKeyRef } }) =>
      secretKeyRef === undefined ? [] : [{ name, secretKeyRef }],
    );
    for (const { name, secretKeyRef } of taken)
      expect(secretKeyRef).toEqual({ name: secret.metadata.name, key: name });
    expect(taken.map(({ name }) => name)).toEqual(Object.keys(secret.stringData ?? {}));
    for (const name of Object.keys(secret.stringData ?? {}))
      await expect(settingsWith({ ...environment(), ...secret.stringData, [name]: "" })).rejects.toThrow(
        /is empty\.$/,
      );
    expect(new Set(Object.values(secret.stringData ?? {}))).toEqual(new Set([""]));
  });

  test("leads each port of a service to a listener of the settings, by the pods' labels", async () => {
    const { listeners, fleet } = await settingsWith(environment());
    const { labels } = set.template.metadata;
    expect(set.selector.matchLabels).toEqual(labels);
    for (const name of ["granary", "granary-nodes"]) expect(one("Service", name).selector).toEqual(labels);
    for (const { labelSelector } of pod.topologySpreadConstraints)
      expect(labelSelector.matchLabels).toEqual(labels);
    const numbers = container.ports.map(({ containerPort }) => containerPort);
    expect(numbers).toEqual([...listeners.map(({ port }) => port), fleet?.internal.port]);
    const portOf = (name: string) => container.ports.find((port) => port.name === name)?.containerPort;
    const served = ["granary", "granary-nodes"].flatMap((name) => one("Service", name).ports);
    for (const { name, port, targetPort } of served) {
      expect(targetPort).toBe(name);
      expect(portOf(targetPort), name).toBe(port);
    }
    expect(served.map(({ port }) => port)).toEqual(numbers);
  });

  test("lets nodes find each other before they are ready, and nobody else reach that listener", () => {
    expect(one("Service", set.serviceName)).toMatchObject({
      clusterIP: "None",
      publishNotReadyAddresses: true,
    });
    const { labels } = set.template.metadata;
    const { podSelector, ingress } = one("NetworkPolicy", "granary");
    expect(podSelector.matchLabels).toEqual(labels);
    const names = ingress.map(({ from, ports }) => [
      from?.[0]?.podSelector.matchLabels,
      ports.map(({ port }) => port),
    ]);
    expect(names).toEqual([
      [undefined, ["docker-hub", "ollama"]],
      [labels, ["internal"]],
    ]);
  });

  test("takes one node away at a time, and gives it time to end", async () => {
    const budget = one("PodDisruptionBudget", "granary");
    expect(budget.maxUnavailable).toBe(1);
    expect(budget.selector.matchLabels).toEqual(set.template.metadata.labels);
    expect(set).toMatchObject({ replicas: 3, updateStrategy: { type: "RollingUpdate" } });
    const { drainMs } = await settingsWith(environment());
    const [, pause] = container.lifecycle.preStop.exec.command;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(Number(pause) + drainMs / 1_000);
  });

  test("asks for life and for readiness at a port and a page that there are", () => {
    const { startupProbe, livenessProbe, readinessProbe } = container;
    expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet)).toEqual([
      { path: "/healthz", port: "docker-hub" },
      { path: "/healthz", port: "docker-hub" },
      { path: "/readyz", port: "docker-hub" },
    ]);
  });

  test("mounts the settings where they are looked for, and stores on the volume, which is large enough", async () => {
    const { storage } = await settingsWith(environment());
    const places = new Map(container.volumeMounts.map(({ name, mountPath }) => [name, mountPath]));
    const claims = set.volumeClaimTemplates.map(({ metadata }) => metadata.name);
    expect([...places.keys()].toSorted()).toEqual(
      [...claims, ...pod.volumes.map(({ name }) => name)].toSorted(),
    );
    const settings = pod.volumes.find(({ configMap }) => configMap !== undefined);
    expect(settings?.configMap?.name).toBe("granary-settings");
    expect(`${places.get(settings?.name ?? "")}/granary.yaml`).toBe(USUAL_CONFIG);
    expect(places.get("tmp")).toBe("/tmp");
    expect(storage.directory.startsWith(`${places.get("data")}/`)).toBe(true);
    const [claim] = set.volumeClaimTemplates;
    const room = parseBytes(`${claim?.spec.resources.requests.storage}B`);
    expect(storage.maxSize + storage.minFree).toBeLessThan(room);
  });

  test("gives the process no rights", () => {
    expect(pod).toMatchObject({
      enableServiceLinks: false,
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        runAsGroup: 1000,
        fsGroup: 1000,
        seccompProfile: { type: "RuntimeDefault" },
      },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container.resources).toMatchObject({ requests: { cpu: "500m" }, limits: { memory: "2Gi" } });
  });
});

test("the image has what a node of a fleet needs, in the versions of the lock file", async () => {
  const root = join(CONFIG, "..");
  const read = async (file: string) => await readFile(file, "utf8");
  const directory = await tempDirectory();
  await copyFile(join(root, "package.json"), join(directory, "package.json"));
  const [, script = ""] = /^RUN node -e '(.*?)'$/ms.exec(await read(join(root, "Dockerfile"))) ?? [];
  await promisify(execFile)(process.execPath, ["-e", script.replaceAll("\\\n", "")], { cwd: directory });
  const before = JSON.parse(await read(join(root, "package.json")));
  const after = JSON.parse(await read(join(directory, "package.json")));
  const { packages } = JSON.parse(await read(join(root, "package-lock.json")));
  const names = ["@aws-sdk/client-s3", "@aws-sdk/s3-request-presigner", "postgres"];
  expect(Object.keys(before.peerDependencies)).toEqual(names);
  expect(after.dependencies).toEqual({ ...before.dependencies, ...before.peerDependencies });
  for (const name of names) {
    expect(after.devDependencies).not.toHaveProperty(name);
    expect(packages).toHaveProperty([`node_modules/${name}`, "version"]);
  }
});
