/** Owns what the records know of contents: who pulled a repository last, and what its traffic saved. It keeps nothing itself. */
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { Records } from "../../records/records.ts";

type PullFound = ReturnType<Records["pulls"]["find"]>[number];

/** Pulls that are looked through for who was last. */
const LATEST = 2_000;

export class UsedBy {
  readonly #records: Pick<Records, "pulls" | "traffic">;

  constructor(records: Pick<Records, "pulls" | "traffic">) {
    this.#records = records;
  }

  /** The last pull of each repository that was pulled lately, by "upstream/repository". */
  latest(): ReadonlyMap<string, PullFound> {
    const pulls = this.#records.pulls.find({ before: Number.MAX_SAFE_INTEGER, limit: LATEST });
    return new Map(pulls.toReversed().map((pull) => [`${pull.upstream}/${pull.repository}`, pull]));
  }

  /** Traffic of each repository, by "upstream/repository". */
  async saved(): Promise<ReadonlyMap<string, { readonly saved: number }>> {
    const rows = await this.#records.traffic.find({ by: "repository" });
    return new Map(rows.map((row) => [row.name, row]));
  }

  async savedBy({ upstream, repository }: RepositoryKey): Promise<{ readonly saved: number } | undefined> {
    const [row] = await this.#records.traffic.find({ by: "repository", upstream, repository });
    return row;
  }

  /** Newest first. */
  pullsOf(where: { readonly upstream: string; readonly repository: string }, limit: number): PullFound[] {
    return this.#records.pulls.find({ ...where, before: Number.MAX_SAFE_INTEGER, limit });
  }
}
