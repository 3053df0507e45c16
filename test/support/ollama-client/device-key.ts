/**
 * Owns Ollama's only login: an ed25519 key that signs the token request. The Authorization it makes has no scheme
 * word, and the realm must be on the host that asked (CVE-2025-51471).
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { exchange, readAll } from "./http-exchange.ts";

export class DeviceKey {
  readonly #private: KeyObject;
  /** The public key as `~/.ollama/id_ed25519.pub` has it, without type and comment. */
  readonly publicKey: string;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.#private = privateKey;
    const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
    this.publicKey = Buffer.concat([field(Buffer.from("ssh-ed25519")), field(raw)]).toString("base64");
  }

  /** A token for what `challenge` (WWW-Authenticate of an answer from `origin`) asks. */
  async token(challenge: string, origin: URL, proxy: string | undefined): Promise<string> {
    const realm = parameterOf(challenge, "realm");
    const host = realm === "" ? "" : new URL(realm).host;
    if (host !== origin.host) {
      throw new Error(`realm host "${host}" does not match original host "${origin.host}"`);
    }
    const url = new URL(realm);
    url.searchParams.set("service", parameterOf(challenge, "service"));
    for (const scope of parameterOf(challenge, "scope").split(" ")) url.searchParams.append("scope", scope);
    url.searchParams.set("ts", String(Math.floor(Date.now() / 1000)));
    url.searchParams.set("nonce", randomBytes(16).toString("base64url"));
    const answer = await exchange(url, { headers: { authorization: this.#sign(url) }, proxy });
    const text = (await readAll(answer)).toString();
    if (answer.status >= 400) throw new Error(`${answer.status}: ${text}`);
    return (JSON.parse(text) as { token: string }).token;
  }

  #sign(url: URL): string {
    const emptyBody = Buffer.from(createHash("sha256").digest("hex")).toString("base64");
    const signature = sign(null, Buffer.from(`GET,${url.href},${emptyBody}`), this.#private);
    return `${this.publicKey}:${signature.toString("base64")}`;
  }
}

/** SSH wire format: length, then bytes. */
function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function parameterOf(challenge: string, key: string): string {
  return new RegExp(`${key}="([^"]*)"`).exec(challenge)?.[1] ?? "";
}
