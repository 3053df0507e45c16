/**
 * Owns what changed between Ollama versions on the wire, as data (protocol notes: "Constants by version", the probe's
 * result table, the redirect lock). The client reads these switches; it never compares version numbers.
 */

export type OllamaVersion = {
  readonly name: string;
  readonly userAgent: string;
  /** Parts at once, and the divisor of a blob's size. */
  readonly parts: number;
  /** What the un-ranged GET must answer: there is none; 307 only; or 200 or 307, with a Location. */
  readonly probe: "none" | "redirect" | "location";
  readonly stall: { readonly ms: number; readonly beforeFirstByte: boolean } | undefined;
  /** Manifests, HEAD and tokens may redirect to the same host and port only. */
  readonly redirectLock: boolean;
};

const agent = (version: string) => `ollama/${version} (amd64 linux) Go/go1.26.0`;

/** Until 0.3.0: no probe, parts go to the blob's own URL with the client's name and token. */
export const OLLAMA_0_3_0: OllamaVersion = {
  name: "0.3.0",
  userAgent: agent("0.3.0"),
  parts: 64,
  probe: "none",
  stall: { ms: 5_000, beforeFirstByte: false },
  redirectLock: false,
};

/** 0.3.1 to 0.3.9: takes a redirect and nothing else. */
export const OLLAMA_0_3_6: OllamaVersion = {
  ...OLLAMA_0_3_0,
  name: "0.3.6",
  userAgent: agent("0.3.6"),
  probe: "redirect",
};

/** 0.3.10 to 0.5.7: a 200 with Location is good as well. */
export const OLLAMA_0_3_10: OllamaVersion = {
  ...OLLAMA_0_3_0,
  name: "0.3.10",
  userAgent: agent("0.3.10"),
  parts: 16,
  probe: "location",
};

/** From 0.32.2: a part that has no first byte within 30 s is asked for again, too. */
export const OLLAMA_0_32_15: OllamaVersion = {
  ...OLLAMA_0_3_10,
  name: "0.32.15",
  userAgent: agent("0.32.15"),
  stall: { ms: 30_000, beforeFirstByte: true },
};

/** From 0.34.2: the redirect lock. */
export const OLLAMA_0_34_2: OllamaVersion = {
  ...OLLAMA_0_32_15,
  name: "0.34.2",
  userAgent: agent("0.34.2"),
  redirectLock: true,
};
