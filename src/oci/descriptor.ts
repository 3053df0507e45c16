/** Owns Descriptor: digest + size + media type, enough to fetch and to verify something. Pure data. */
import type { Digest } from "./digest.ts";

export type Platform = {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
};

export type Descriptor = {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
  readonly platform?: Platform;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
};
