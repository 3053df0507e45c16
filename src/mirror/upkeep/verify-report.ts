/** Owns what a verification is asked for, how far it has come, and what it found. Pure types. */
import type { Digest } from "../../oci/digest.ts";

/**
 * `damaged-manifest`, `damaged-blob`: its bytes have another digest. `wrong-size`: of a blob. `unreadable`: the disk or the file's permissions
 * prevent that it is read. `unregistered`: a sound blob that the database does not know. `missing`: a blob of the database whose file is
 * gone. `stranger`: something among the blobs that is none; it is left alone.
 */
export type FindingKind =
  | "damaged-manifest"
  | "damaged-blob"
  | "wrong-size"
  | "unreadable"
  | "unregistered"
  | "missing"
  | "stranger";

export type Finding = {
  readonly kind: FindingKind;
  /** A digest; the path of a stranger. */
  readonly what: string;
  /** True when nothing is left to be done about it. */
  readonly isRepaired: boolean;
  /** Why it could not be repaired, or read. */
  readonly reason?: string;
};

export type VerifyReport = {
  /** Sound ones. */
  readonly blobs: number;
  /** Of these blobs together. */
  readonly bytes: number;
  readonly manifests: number;
  readonly findings: readonly Finding[];
  /** Nothing was found that still has to be repaired; strangers do not count. */
  readonly isSound: boolean;
};

export type VerifyOptions = {
  /** Set damaged blobs aside, delete rows of blobs that are gone, register sound blobs that have no row. */
  readonly repair: boolean;
  readonly signal?: AbortSignal;
  /** Bytes of the blobs that are on the disk. Called now and then. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  /** Only what this says true of; everything when left out. */
  readonly isMeant?: (digest: Digest) => boolean;
  /** Bytes that are read in a second; as many as the disk gives when left out. */
  readonly pace?: () => number;
  /** Where an earlier run was: it goes on from there. */
  readonly from?: VerifyPlace;
  /** Told after each blob. */
  readonly onPlace?: (place: VerifyPlace) => void;
};

/** How far a run has come: all manifests are done, and blobs up to `after`. */
export type VerifyPlace = Omit<VerifyReport, "isSound"> & { readonly after: string };
