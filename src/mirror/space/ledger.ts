/**
 * Owns the sums over partials: the bytes that they occupy on the disk, and the bytes that are reserved for what they will still grow by. Every
 * change updates the sums, which are never added up again. Everything is synchronous: whoever reads them and reserves room in the same tick
 * cannot be given the same bytes as somebody else. It does not look at the disk and removes nothing.
 */
import type { Room } from "../../fill/room.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { PartialKey, SavedPartial } from "../../store/partial.ts";

/** One partial, of a fill or idle, or the room for one that will come. */
type Account = {
  readonly digest: Digest;
  /** As in SavedPartial. */
  readonly upstream: string | undefined;
  /** Bytes on the disk. */
  occupied: number;
  /** Bytes that it may grow to in all while somebody has it. */
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
  /** Accounts that were closed since the last `correct`, with the revision: a list that was begun before may still name them. */
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

  /** Bytes that are reserved for what partials will still grow by. */
  get coming(): number {
    return this.#coming;
  }

  /**
   * Sum of all bytes that partials stopped occupying; it only grows. A fill records the row of its blob before it closes its partial here.
   * Whoever reads the rows first and this ledger afterwards adds what left in between: then a blob that was committed in between is counted
   * once or twice, and never not at all.
   */
  get left(): number {
    return this.#left;
  }

  /** Changes with every change; see `correct`. */
  get revision(): number {
    return this.#revision;
  }

  /** Bytes that a blob of `size` bytes needs beyond what its partial occupies and what is reserved for it. */
  needed(of: PartialKey, size: number): number {
    const account = this.#accounts.get(keyOf(of));
    return account === undefined ? size : Math.max(0, size - account.occupied - comingOf(account));
  }

  /** Reserves room for a blob of `size` bytes, for a fill that may begin, until the returned release is called. That is idempotent. */
  reserve(of: PartialKey, size: number): () => void {
    const account = this.#account(of);
    this.#change(account, { target: account.holders === 0 ? size : Math.max(account.target, size) });
    return this.#counted(account);
  }

  /** The room of a fill. A known size replaces what was reserved for the blob before. */
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
   * `saved` was read from the disk, beginning when the ledger had `revision`. It replaces what is known of every partial that nobody has and
   * that did not change since.
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
