/** Owns the refusal to write what the Docker engine of this machine does not start with. It must never write anything, and judges no engine that it cannot find. */
import { findProgram, runProgram } from "../../doctor/run-program.ts";
import type { Environment } from "../../environment.ts";
import { GranaryError } from "../../errors.ts";

/** Docker Engine 23.0 was the first to read `proxies` in daemon.json; older ones end with it. */
const READS_PROXIES = 23;
const TIMEOUT_MS = 10_000;

/** Throws `conflict`, with what to do in its place, where the engine is too old for `proxies`, which name the proxy `url`. */
export async function refuseOldDocker(url: string, env: Environment): Promise<void> {
  const path = await findProgram("dockerd", env);
  if (path === undefined) return;
  const { out } = await runProgram(path, ["--version"], TIMEOUT_MS);
  const version = /version (\d+)\.[\w.-]+/.exec(out);
  if (version === null || Number(version[1]) >= READS_PROXIES) return;
  const found = version[0].replace("version ", "");
  const text = `Docker ${found} on this machine does not start with proxies in daemon.json; ${READS_PROXIES}.0 and newer read them. Nothing was changed. In its place: \`sudo granary ca install\`, and by \`sudo systemctl edit docker\` the lines [Service] and Environment=HTTPS_PROXY=${url}.`;
  throw new GranaryError("conflict", text, { target: found, saysWhatToDo: true });
}
