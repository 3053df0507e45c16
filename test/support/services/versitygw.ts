/** Owns how versitygw is run for tests: an S3 gateway over a plain directory, on loopback only. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Recipe, S3Server, STORE_KEYS } from "./s3-server.ts";

const VERSITYGW: Recipe = {
  program: "versitygw",
  portCount: 1,
  env: { ROOT_ACCESS_KEY: STORE_KEYS.accessKey, ROOT_SECRET_KEY: STORE_KEYS.secretKey },
  async args(directory, [port]) {
    const data = join(directory, "data");
    await mkdir(data);
    return ["--port", `127.0.0.1:${port}`, "posix", data];
  },
};

/** A versitygw that answers. */
export function startVersityGw(): Promise<S3Server> {
  return S3Server.open(VERSITYGW);
}
