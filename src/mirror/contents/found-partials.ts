/** Owns which unfinished blobs there are now, saved ones and those of running fills, and to which repositories they belong. It changes none. */
import { type DrawnMap, drawnMap } from "../../fill/drawn-runs.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { Digest } from "../../oci/digest.ts";
import type { PartialKey, SavedPartial, Spool } from "../../store/partial.ts";
import type { Partials } from "./content-parts.ts";

/** An unfinished blob; `isRunning` while a fill has it. */
export type FoundPartial = Pick<SavedPartial, "digest" | "upstream"> & {
  readonly present: number;
  /** Bytes of the whole, as far as is known. */
  readonly size: number;
  /** Epoch ms; undefined for one that a fill has. */
  readonly changedAt: number | undefined;
  readonly isRunning: boolean;
};

type RunningFill = {
  readonly digest: Digest;
  readonly upstream: string;
  readonly present: number;
  readonly size: number;
} & DrawnMap;

export type FoundPartialsParts = {
  readonly rows: Pick<ContentRows, "repositoriesWith">;
  readonly spool: Pick<Spool, "list" | "rangesOf">;
  readonly fills: () => readonly RunningFill[];
};

const MOST_REPOSITORIES = 1_000;

export class FoundPartials {
  readonly #parts: FoundPartialsParts;

  constructor(parts: FoundPartialsParts) {
    this.#parts = parts;
  }

  /** All of them. Throws what the disk throws. */
  async list(): Promise<FoundPartial[]> {
    const saved = (await this.#parts.spool.list()).map(({ digest, upstream, size, present, changedAt }) => {
      return { digest, upstream, size, present, changedAt, isRunning: false };
    });
    const running = this.#parts.fills().map(({ digest, upstream, size, present }) => {
      return { digest, upstream, size, present, changedAt: undefined, isRunning: true };
    });
    return [...saved, ...running];
  }

  /** Which parts of an unfinished blob of `size` bytes are here, for drawing: at most a few hundred runs. */
  async mapOf(key: PartialKey, size: number): Promise<DrawnMap> {
    const isIt = ({ digest, upstream }: RunningFill) => digest === key.digest && upstream === key.upstream;
    const running = this.#parts.fills().find(isIt);
    return running ?? drawnMap(await this.#parts.spool.rangesOf(key), size);
  }

  /** The same, to be asked by digest and by repository. */
  async find(): Promise<Partials & { presentIn(where: RepositoryKey): number }> {
    const present = new Map<string, number>();
    const inRepository = new Map<string, number>();
    for (const partial of await this.list()) {
      const { digest, upstream = "" } = partial;
      present.set(`${upstream}\n${digest}`, partial.present);
      for (const where of await this.#parts.rows.repositoriesWith(digest, MOST_REPOSITORIES)) {
        if (where.upstream !== upstream) continue;
        const key = `${where.upstream}\n${where.repository}`;
        inRepository.set(key, (inRepository.get(key) ?? 0) + partial.present);
      }
    }
    return {
      presentOf: (upstream, digest) => present.get(`${upstream}\n${digest}`) ?? 0,
      presentIn: ({ upstream, repository }) => inRepository.get(`${upstream}\n${repository}`) ?? 0,
    };
  }
}
