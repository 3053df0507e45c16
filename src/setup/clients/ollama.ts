/**
 * Owns how an Ollama server is pointed at Granary: as its proxy for plain http, in a drop-in of its systemd service. No setting of Ollama
 * names a mirror (docs/protocol.md#ollama-through-a-proxy).
 */
import { basename, dirname, join } from "node:path";
import { GranaryError } from "../../errors.ts";
import { namesIn } from "../../files/disk.ts";
import { readKeptFile } from "../../files/kept-file.ts";
import type { ClientSetup } from "../client-plan.ts";
import { variablesOf } from "../formats/unit.ts";

const VARIABLE = "HTTP_PROXY";

export const ollamaSetup: ClientSetup = {
  usualFile: "/etc/systemd/system/ollama.service.d/granary.conf",
  async plan({ url, host, ca, wantsLogin }, path) {
    if (wantsLogin) throw loginWanted(url);
    return {
      files: [
        { path, change: { format: "unit", edits: [{ does: "variable", name: VARIABLE, value: url }] } },
      ],
      restart: ["sudo systemctl daemon-reload && sudo systemctl restart ollama"],
      notes: [
        "Pull with --insecure, and the plain name works: `ollama pull --insecure llama3.2`. Without it Ollama asks by https, past the proxy.",
        `Or leave the service as it is, and name Granary in the model's name: \`ollama pull${ca === undefined && url.startsWith("http:") ? " --insecure" : ""} ${host}/library/llama3.2\`.`,
        ...(ca === undefined
          ? []
          : [
              "Ollama knows only the authorities of the system: put the certificate there (/usr/local/share/ca-certificates, then `sudo update-ca-certificates`).",
            ]),
        ...(await rivalsOf(path)),
      ],
    };
  },
  placesOf: async (file) => [file],
};

/** Drop-ins are read by name, and the last that sets a variable counts. */
async function rivalsOf(path: string): Promise<string[]> {
  const names = (await namesIn(dirname(path))).filter(
    (name) => name.endsWith(".conf") && name > basename(path),
  );
  const later = await Promise.all(
    names.map(async (name) => {
      const found = await readKeptFile(join(dirname(path), name));
      return found !== undefined && variablesOf(found.text).has(VARIABLE) ? [name] : [];
    }),
  );
  return later
    .flat()
    .map(
      (name) =>
        `${join(dirname(path), name)} sets ${VARIABLE} as well, and counts, because its name is later: remove the line there.`,
    );
}

function loginWanted(url: string): GranaryError {
  const text = `Ollama cannot use ${url}: that listener asks for a login, and Ollama has none to give. Give Granary a listener for registry.ollama.ai without a login.`;
  return new GranaryError("config-invalid", text, { saysWhatToDo: true });
}
