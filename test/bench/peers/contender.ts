/** Owns the port that every contender implements: is it installed, start it in a directory, ask for these paths. */
import type { Material } from "../material.ts";
import type { ContenderName } from "../row.ts";
import type { Enter } from "../support/children.ts";
import type { UpstreamAddress } from "../support/upstream.ts";

export type Place = {
  /** The contender's own directory; it may hold a store from an earlier start. */
  readonly directory: string;
  readonly material: Material;
  /** The upstream to cache from, for those that do. */
  readonly upstream: UpstreamAddress;
  /** How its process enters a smaller machine; undefined for this one. */
  readonly enter: Enter | undefined;
};

export type Running = {
  readonly pid: number;
  readonly port: number;
  readonly stop: () => Promise<void>;
};

export interface Contender {
  readonly name: ContenderName;
  /** Why it cannot take part, in one sentence; undefined when it can. */
  missing(): string | undefined;
  /** Starts it and resolves when it answers. The caller stops it. */
  start(place: Place): Promise<Running>;
  /** For those that cache: where a blob lies once it is committed, relative to the directory. */
  committedPath?(digest: string): string;
}
