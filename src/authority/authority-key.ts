/** Owns the kind of keys that certificates are made for, and the text form of a key. A key's text enters no message. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  X509Certificate,
} from "node:crypto";
import { promisify } from "node:util";

const CURVE = "prime256v1";

/** A new private key, ECDSA over P-256. */
export async function newKey(): Promise<KeyObject> {
  const { privateKey } = await promisify(generateKeyPair)("ec", { namedCurve: CURVE });
  return privateKey;
}

/** PKCS 8, PEM. */
export function keyText(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

/** undefined for a text that is no such key. */
export function readKey(pem: string): KeyObject | undefined {
  const key = read(() => createPrivateKey(pem));
  return key?.asymmetricKeyDetails?.namedCurve === CURVE ? key : undefined;
}

/** The certificate in `pem` where it is one of `key`. */
export function certificateOf(key: KeyObject, pem: string): X509Certificate | undefined {
  const certificate = read(() => new X509Certificate(pem));
  return certificate?.publicKey.equals(createPublicKey(key)) === true ? certificate : undefined;
}

/** Node throws for whatever it cannot read, and its reasons help nobody. */
function read<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
