import { matchesWildcard } from "../util/wildcard.ts";
import type { Labels } from "./labels.ts";
import { matches, parseSelector, type Selector } from "./selector.ts";

/** Who is named: all, or those with such ids and such labels. */
export interface Naming {
  all?: true | undefined;
  ids?: readonly string[] | undefined;
  labels?: string | undefined;
}

/**
 * Which clients a job is for, read once and asked often. The server chooses by it, and the page counts
 * by it what somebody types.
 */
export class Chosen {
  /** null: whatever the labels. */
  readonly selector: Selector | null;
  /** Ids that are named as they are. */
  readonly named: ReadonlySet<string>;
  /** Ids with a `*`. */
  readonly #patterns: readonly string[];
  /** Whatever the id. */
  readonly #isAnyId: boolean;

  /** @throws SelectorError */
  constructor({ ids, labels }: Naming) {
    this.selector = labels === undefined ? null : parseSelector(labels);
    this.#isAnyId = ids === undefined;
    this.named = new Set(ids?.filter((id) => !id.includes("*")));
    this.#patterns = ids?.filter((id) => id.includes("*")) ?? [];
  }

  /** Whether only clients that are named as they are can be meant. */
  get isOfNamesAlone(): boolean {
    return !this.#isAnyId && this.#patterns.length === 0;
  }

  /**
   * Whether a client is meant. One that was revoked is only where it is named: it cannot answer
   * before an admin lets another machine take its place.
   */
  has(clientId: string, labels: Labels, isRevoked: boolean): boolean {
    if (this.selector !== null && !matches(this.selector, labels)) return false;
    if (this.named.has(clientId)) return true;
    if (isRevoked) return false;
    return this.#isAnyId || this.#patterns.some((pattern) => matchesWildcard(pattern, clientId));
  }
}
