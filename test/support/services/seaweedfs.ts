/** Owns how SeaweedFS is run for tests: all of its parts in one process, on loopback only, with a port and a gRPC port for each. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Recipe, S3Server, STORE_KEYS } from "./s3-server.ts";

/** Each has a socket in /tmp, whatever TMPDIR says. */
const GRPC_PARTS = ["s3", "master", "volume", "filer"];

const LOOPBACK = "127.0.0.1";

const SEAWEEDFS: Recipe = {
  program: "weed",
  portCount: 9,
  async args(directory, [s3, s3Grpc, master, masterGrpc, volume, volumeGrpc, filer, filerGrpc, metrics]) {
    const data = join(directory, "data");
    const logins = join(directory, "logins.json");
    await mkdir(data);
    await writeFile(logins, JSON.stringify(LOGINS));
    const ports = { s3, master, volume, filer };
    const grpcPorts = { s3: s3Grpc, master: masterGrpc, volume: volumeGrpc, filer: filerGrpc };
    return [
      "server",
      `-dir=${data}`,
      `-ip=${LOOPBACK}`,
      `-ip.bind=${LOOPBACK}`,
      "-master.telemetry=false",
      // Each bucket takes seven volumes of its own.
      "-master.volumeSizeLimitMB=128",
      "-volume.max=2000",
      "-filer=true",
      `-filer.localSocket=${join(directory, "filer.sock")}`,
      `-metricsPort=${metrics}`,
      `-metricsIp=${LOOPBACK}`,
      "-s3",
      `-s3.config=${logins}`,
      "-s3.autoCreateBucket=false",
      "-s3.port.iceberg=0",
      "-s3.port.lance=0",
      `-s3.localSocket=${join(directory, "s3.sock")}`,
      ...Object.entries(ports).map(([part, port]) => `-${part}.port=${port}`),
      ...Object.entries(grpcPorts).map(([part, port]) => `-${part}.port.grpc=${port}`),
    ];
  },
  leavings: (ports) =>
    ports.flatMap((port) => GRPC_PARTS.map((part) => `/tmp/seaweedfs-${part}-grpc-${port}.sock`)),
};

const LOGINS = {
  identities: [
    { name: "tests", credentials: [STORE_KEYS], actions: ["Admin", "Read", "Write", "List", "Tagging"] },
  ],
};

/** A SeaweedFS that answers. */
export function startSeaweedFs(): Promise<S3Server> {
  return S3Server.open(SEAWEEDFS);
}

/** How many requests a SeaweedFS had until now, in all, by its own count. */
export async function countRequests({ ports }: Pick<S3Server, "ports">): Promise<number> {
  const answer = await fetch(`http://${LOOPBACK}:${ports.at(-1)}/metrics`);
  const counts = [...(await answer.text()).matchAll(/^SeaweedFS_s3_request_total\{.*\} (\S+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}
