/** Owns the object store in the simulation of leases: objects of counted parts, and which lease wrote each (G6). */
import type { Lease } from "../../../src/fleet/fleet.ts";

type Upload = { readonly objectKey: string; readonly parts: Set<number> };

export class SimulatedBucket {
  /** By key: which parts of its blob the object has. */
  readonly objects = new Map<string, ReadonlySet<number>>();
  readonly #uploads = new Map<string, Upload>();
  readonly #writers = new Map<string, Lease>();
  readonly #broken: (what: string) => void;
  #ids = 0;

  constructor(broken: (what: string) => void) {
    this.#broken = broken;
  }

  begin(objectKey: string, by: Lease): string {
    const before = this.#writers.get(objectKey) ?? by;
    if (before !== by) this.#broken(`G6: two leases write ${objectKey}`);
    this.#writers.set(objectKey, by);
    this.#ids += 1;
    this.#uploads.set(`${this.#ids}`, { objectKey, parts: new Set() });
    return `${this.#ids}`;
  }

  /** False when there is no such upload any more. */
  putPart(uploadId: string, number: number): boolean {
    return this.#uploads.get(uploadId)?.parts.add(number) !== undefined;
  }

  parts(uploadId: string): ReadonlySet<number> | undefined {
    return this.#uploads.get(uploadId)?.parts;
  }

  complete(uploadId: string): boolean {
    const upload = this.#uploads.get(uploadId);
    if (upload === undefined) return false;
    this.#uploads.delete(uploadId);
    this.objects.set(upload.objectKey, upload.parts);
    return true;
  }

  remove(objectKey: string): void {
    this.objects.delete(objectKey);
  }
}
