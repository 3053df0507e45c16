/**
 * Owns the sums over partials: what each occupies on the disk, and what is kept for what it will still come to. Sums are kept up with each
 * change, never added up again, and everything is synchronous: who looks at them and takes room in the same tick cannot be given what
 * another one was given. It looks at no disk and removes nothing.
 */
import type { Room } from "../../fill/room.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { PartialKey, SavedPartial } from "../../store/partial.ts";

/** One partial, of a fill or saved, or the room for one to come. */
type Account = {
  readonly digest: Digest;
  /** As in SavedPartial. */
  readonly upstream: string | undefined;
  /** Bytes on the disk. */
  occupied: number;
  /** Bytes that it may come to while somebody has it; what it occupies is among them. */
  target: number;
  /** Fills that have it, and readers whose fill has not begun. */
  holders: number;
  /** Epoch ms. */
  changedAt: number;
  /** The revision of the ledger with which it was changed last. */
  revision: number;
};

/** A partial that nobody has. */
export type IdlePartial = Pick<Account, "digest" | "upstream" | "occupied" | "changedAt">;

export class Ledger {
  readonly #clock: Pick<Clock, "now">;
  readonly #accounts = new Map<string, Account>();
  /** Those that were closed since the disk was looked at last, with the revision: a look that began before may still tell of them. */
  readonly #closed = new Map<string, number>();
  #occupied = 0;
  #coming = 0;
  #left = 0;
  #revision = 0;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Bytes that partials occupy. */
  get occupied(): number {
    return this.#occupied;
  }

  /** Bytes that are kept for what partials will still come to. */
  get coming(): number {
    return this.#coming;
  }

  /**
   * Bytes that partials occupied and no longer do, since the start: it only grows. A committed blob counts as a row before its partial is
   * closed here, so whoever reads the rows first and looks here afterwards adds what left meanwhile: it is then in one of the two, or for a
   * moment in both, and never in none.
   */
  get left(): number {
    return this.#left;
  }

  /** Changes with every change; see `correct`. */
  get revision(): number {
    return this.#revision;
  }

  /** Bytes that a blob of `size` bytes needs beyond what is there of it, and what is kept for it. */
  needed(of: PartialKey, size: number): number {
    const account = this.#accounts.get(keyOf(of));
    return account === undefined ? size : Math.max(0, size - account.occupied - comingOf(account));
  }

  /** Keeps room for a blob of `size` bytes until the returned release is called, for a fill that may begin by then. Idempotent. */
  reserve(of: PartialKey, size: number): () => void {
    const account = this.#account(of);
    this.#change(account, { target: account.holders === 0 ? size : Math.max(account.target, size) });
    return this.#counted(account);
  }

  /** The room of a fill. One of a known size needs just that, whatever was said before. */
  room(of: PartialKey, size: number, extend: () => Promise<boolean>): Room {
    const account = this.#account(of);
    const release = this.#counted(account);
    let isOpen = true;
    const change = (changes: Partial<Pick<Account, "occupied" | "target">>) => {
      if (isOpen) this.#change(account, changes);
    };
    if (size > 0) change({ target: size });
    return {
      occupies: (occupied) => change({ occupied }),
      extend: async (target) => {
        change({ target: Math.max(target, account.target) });
        return await extend();
      },
      giveBack: () => change({ target: 0 }),
      release: () => {
        isOpen = false;
        release();
      },
    };
  }

  /** Partials that nobody has, in no order. */
  idle(): IdlePartial[] {
    return [...this.#accounts.values()].filter(({ holders, occupied }) => holders === 0 && occupied > 0);
  }

  /** True when no fill and no reader has it, also when there is none. */
  isIdle(of: Pick<SavedPartial, "digest" | "upstream">): boolean {
    return (this.#accounts.get(keyOf(of))?.holders ?? 0) === 0;
  }

  /** It was removed from the disk. */
  removed(of: Pick<SavedPartial, "digest" | "upstream">): void {
    const account = this.#accounts.get(keyOf(of));
    if (account !== undefined) this.#change(account, { occupied: 0 });
  }

  /**
   * `saved` is what the disk says, as it was when the ledger had `revision`: it counts for every partial that nobody has and that was not
   * changed since.
   */
  correct(saved: readonly SavedPartial[], revision: number): void {
    const found = new Map(saved.map((partial) => [keyOf(partial), partial]));
    const isCurrent = (account: Account) => account.holders > 0 || account.revision > revision;
    for (const [key, account] of this.#accounts) {
      if (!isCurrent(account) && !found.has(key)) this.#change(account, { occupied: 0 });
    }
    for (const partial of saved) {
      if ((this.#closed.get(keyOf(partial)) ?? 0) > revision) continue;
      const account = this.#account(partial);
      if (!isCurrent(account))
        this.#change(account, { occupied: partial.present, changedAt: partial.changedAt });
    }
    this.#closed.clear();
  }

  #account({ digest, upstream }: Pick<SavedPartial, "digest" | "upstream">): Account {
    const key = keyOf({ digest, upstream });
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const account = { digest, upstream, occupied: 0, target: 0, holders: 0, changedAt: 0, revision: 0 };
    this.#accounts.set(key, account);
    return account;
  }

  #counted(account: Account): () => void {
    this.#change(account, { holders: account.holders + 1 });
    let isCounted = true;
    return () => {
      if (!isCounted) return;
      isCounted = false;
      const changedAt = this.#clock.now();
      this.#change(account, { holders: account.holders - 1, changedAt });
    };
  }

  /** The only place where an account, and with it a sum, changes. */
  #change(account: Account, changes: Partial<Account>): void {
    const [occupied, coming] = [account.occupied, comingOf(account)];
    Object.assign(account, changes, { revision: ++this.#revision });
    this.#occupied += account.occupied - occupied;
    this.#coming += comingOf(account) - coming;
    this.#left += Math.max(0, occupied - account.occupied);
    const key = keyOf(account);
    if (account.holders > 0 || account.occupied > 0) this.#accounts.set(key, account);
    else if (this.#accounts.delete(key)) this.#closed.set(key, account.revision);
  }
}

function comingOf({ holders, target, occupied }: Account): number {
  return holders === 0 ? 0 : Math.max(0, target - occupied);
}

function keyOf({ digest, upstream }: Pick<SavedPartial, "digest" | "upstream">): string {
  return `${upstream ?? ""}\n${digest}`;
}
