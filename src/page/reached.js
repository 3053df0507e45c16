/**
 * Owns by which addresses a client reaches a listener of Granary, judged by how the browser reached the page: that address is known to work
 * from somewhere. It connects to nothing. Pure.
 */

/** @typedef {{ readonly upstream: string, readonly port: number, readonly host?: string | undefined, readonly urls: readonly string[], readonly certificate?: string | undefined, readonly wantsLogin: boolean }} Listener */
/** @typedef {{ readonly hostname: string, readonly port: string, readonly protocol: string }} Place as `location` has it */
/** @typedef {{ readonly url: string, readonly whose: string }} Choice */

const OWN = /** @type {const} */ ({ docker: "docker.io", ollama: "registry.ollama.ai" });

/**
 * The listener that a client is pointed at: the one of its own registry, and of several the one that asks for no login. Docker and Ollama can
 * use no other.
 * @param {readonly Listener[]} listeners
 * @param {string} client
 */
export function listenerFor(listeners, client) {
  const own = listeners.filter(
    ({ upstream }) => upstream === (client === "ollama" ? OWN.ollama : OWN.docker),
  );
  const meant = own.length > 0 || client in OWN ? own : listeners;
  return meant.find(({ wantsLogin }) => !wantsLogin) ?? meant[0];
}

/** @param {string} host */
function isThisMachine(host) {
  return /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[?::1\]?)$/i.test(host);
}

/** @param {string | undefined} host */
function isEverywhere(host) {
  return host === undefined || host === "::" || host === "0.0.0.0";
}

/** @param {Pick<Listener, "port" | "certificate">} listener @param {string} host as a URL has it: IPv6 in brackets */
export function addressAt({ port, certificate }, host) {
  return `${certificate === undefined ? "http" : "https"}://${host}:${port}`;
}

/** @param {string} url */
export function hostOf(url) {
  return URL.parse(url)?.hostname ?? "";
}

/**
 * The addresses to choose from, the likeliest first; at least one.
 * @param {Listener} listener
 * @param {Place} place
 * @returns {readonly [Choice, ...Choice[]]}
 */
export function choicesOf(listener, { hostname }) {
  const own = listener.urls.map((url) => ({
    url,
    whose: isThisMachine(hostOf(url)) ? "for clients on this machine" : "an address of Granary’s machine",
  }));
  const here = { url: addressAt(listener, "127.0.0.1"), whose: "for clients on this machine" };
  const reached = { url: addressAt(listener, hostname), whose: "as you reached this page" };
  return distinct(ordered(listener, hostname, { own, here, reached }));
}

/**
 * @param {Listener} listener
 * @param {string} hostname
 * @param {{ readonly own: readonly Choice[], readonly here: Choice, readonly reached: Choice }} known
 * @returns {readonly Choice[]}
 */
function ordered({ host, certificate }, hostname, { own, here, reached }) {
  // On one address it is not reached by any other.
  if (!isEverywhere(host)) return own;
  if (isThisMachine(hostname)) return certificate === undefined ? [...own, here] : own;
  return isRefused(certificate, own, hostname) ? [...own, reached] : [reached, ...own];
}

/**
 * True where the certificate names other hosts: clients would refuse this one. A name without any name to compare it with may be covered by
 * a wildcard.
 * @param {string | undefined} certificate
 * @param {readonly Choice[]} own
 * @param {string} hostname
 */
function isRefused(certificate, own, hostname) {
  if (certificate === undefined) return false;
  const hosts = own.map(({ url }) => hostOf(url));
  const isName = (/** @type {string} */ host) => /[a-z]/i.test(host) && !host.startsWith("[");
  return !hosts.includes(hostname) && (!isName(hostname) || hosts.some(isName));
}

/** @param {readonly Choice[]} choices @returns {readonly [Choice, ...Choice[]]} */
function distinct(choices) {
  const [first = { url: "", whose: "" }, ...others] = [
    ...new Map(choices.toReversed().map((choice) => [choice.url, choice])).values(),
  ].toReversed();
  return [first, ...others];
}

/**
 * What a person should know of these addresses: sentences.
 * @param {Listener} listener
 * @param {Place} place
 * @returns {readonly string[]}
 */
export function notesOn(listener, { hostname, port, protocol }) {
  const { host, urls } = listener;
  if (host !== undefined && isThisMachine(host))
    return [
      `Granary takes connections at port ${listener.port} from its own machine alone, so clients on other machines cannot reach it. To change that, take \`host: ${host}\` out of this listener in the settings (\`listeners\`), and run \`granary reload\` there.`,
    ];
  if (isThisMachine(hostname))
    return [
      urls.every((url) => isThisMachine(hostOf(url)))
        ? "You opened this page on Granary’s own machine, and no other address of it is known. Clients on other machines need one: write it here."
        : "You opened this page on Granary’s own machine (or through a tunnel to it). Clients on other machines need an address that they can reach. Where Granary runs in a container, the addresses below may be those inside of it: then write the one of the machine.",
    ];
  const isProxied = protocol === "https:" || port === "" || port === "80" || port === "443";
  if (isProxied && isEverywhere(host))
    return [
      `This page came through a proxy. Clients do not: they connect to port ${listener.port} of Granary’s machine, so that port has to be open for them. If the proxy runs on another machine than Granary, choose another address.`,
    ];
  return [];
}

/**
 * Why no client can use what was typed; undefined where it can be an address.
 * @param {string} text
 */
export function problemOf(text) {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  const isGood =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    `${url.username}${url.password}${url.search}${url.hash}` === "" &&
    url.pathname === "/" &&
    /^(?:[\w.-]+|\[[\da-f:.]+\])$/i.test(url.hostname);
  return isGood ? undefined : "Write an address such as http://192.168.1.10:5000, without a path or a login.";
}
