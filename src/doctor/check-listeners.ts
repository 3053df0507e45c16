/** Owns whether the listeners of the settings can be used: each is asked as a client on this machine would ask it. */
import type { ListenerSettings } from "../config/settings.ts";
import { clientUrls } from "../http/connections/exposure.ts";
import { type Observation, says, sentence } from "./observation.ts";
import { type Probed, probeListener } from "./probe-listener.ts";

export async function checkListeners(listeners: readonly ListenerSettings[]): Promise<Observation[]> {
  // One by the names of registries answers nobody who comes by its address.
  const fixed = listeners.filter(({ port, tlsFromCa }) => port !== 0 && tlsFromCa !== true);
  const found = await Promise.all(fixed.map(checkListener));
  return [...found.flat(), ...loginFindings(fixed)];
}

async function checkListener({ port, host, tls, upstream }: ListenerSettings): Promise<Observation[]> {
  const [url] = clientUrls({ address: host ?? "127.0.0.1", port, cert: tls?.cert });
  const { good, wrong } = says(`listener ${url}`);
  // Whoever signed it: the certificate of the settings is the one that must come.
  const probed = await probeListener(url, { certificate: tls?.cert });
  if (probed.is === "granary") {
    const login = probed.wantsLogin ? ", with a login" : "";
    return [
      good(`It answers for ${upstream}${login}.`),
      ...probed.troubles.map((each) => wrong(sentence(each))),
    ];
  }
  return [wrong(sentence(probed.why), todoFor(probed))];
}

function todoFor({ is }: Probed): string {
  if (is === "closed")
    return "Start granary serve with these settings, or see its log for why it does not listen there.";
  if (is === "untrusted")
    return "Send granary serve SIGHUP if the certificate was renewed, or name the right files in certFile and keyFile.";
  return "Give this listener another port, or stop the program that has it.";
}

/** Docker has no login for a mirror (docs/protocol.md#docker-logins). */
function loginFindings(listeners: readonly ListenerSettings[]): Observation[] {
  const hub = listeners.filter(({ upstream }) => upstream === "docker.io");
  if (hub.length === 0 || hub.some(({ login }) => login === undefined)) return [];
  const text =
    "Every listener for docker.io asks for a login: Docker cannot use one as a mirror, and goes to Docker Hub without a word.";
  return [
    says("listeners").note(text, "If Docker is to use Granary, add a listener without a login for it."),
  ];
}
