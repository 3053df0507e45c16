/** Shows that the container files give Granary no more rights, and nobody else more reach, than they say. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const read = (name: string) => readFile(join(import.meta.dirname, "..", name), "utf8");

describe("docker-compose.yml", () => {
  test("gives the process a read-only root, no capability, no new privileges and a limit of memory", async () => {
    const { services } = parse(await read("docker-compose.yml")) as {
      services: Record<string, Record<string, unknown>>;
    };
    expect(Object.keys(services)).toEqual(["granary"]);
    expect(services.granary).toMatchObject({
      read_only: true,
      tmpfs: ["/tmp"],
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
      mem_limit: "1g",
      volumes: ["granary:/data"],
    });
    expect(services.granary).not.toHaveProperty("privileged");
    expect(services.granary).not.toHaveProperty("cap_add");
  });

  test("publishes on the address that the user names, and on none but the loopback one without", async () => {
    const { services } = parse(await read("docker-compose.yml")) as {
      services: { granary: { ports: string[] } };
    };
    const { ports } = services.granary;
    const admin = "127.0.0.1:5080:5080";
    const registries = ports.filter((port) => port !== admin);
    expect(ports, "what steers it is for this machine alone").toContain(admin);
    expect(registries).toHaveLength(2);
    for (const port of registries) expect(port).toMatch(/^\$\{GRANARY_ADDRESS:-127\.0\.0\.1\}:(\d+):\1$/);
  });
});

describe("Dockerfile", () => {
  test("names every base image in full and by digest", async () => {
    const bases = [...(await read("Dockerfile")).matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
    expect(bases).toHaveLength(3);
    for (const base of bases) {
      expect(base).toMatch(/^docker\.io\/library\/node:24\.\d+\.\d+-[a-z-]+@sha256:[0-9a-f]{64}$/);
    }
  });

  test("runs as a user without rights, which owns the volume", async () => {
    const lines = (await read("Dockerfile")).split("\n");
    const last = (word: string) => lines.findLast((line) => line.startsWith(`${word} `));
    expect(last("USER")).toBe("USER node");
    expect(lines.indexOf("USER node")).toBeGreaterThan(
      lines.findLastIndex((line) => line.startsWith("FROM ")),
    );
    expect(lines).toContain("RUN install -d -o node -g node -m 0750 /data");
    expect(last("VOLUME")).toBe("VOLUME /data");
  });
});
