/** Owns the port by which the proxy gets certificates for the names at which it ends TLS (src/authority makes them). */

export type LeafCertificate = { readonly cert: string; readonly key: string };

export interface ProxyCertificates {
  /** PEM texts for one name, the same object until they are made anew. Throws `denied` for a name that it may not sign for. */
  leaf(name: string): Promise<LeafCertificate>;
}
