import { matchesWildcard } from "../util/wildcard.ts";
import type { Labels } from "./labels.ts";
import { matches, parseSelector, type Selector } from "./selector.ts";

/** How clients are named: all of them, or by ids and labels. */
export interface Naming {
  all?: true | undefined;
  ids?: readonly string[] | undefined;
  labels?: string | undefined;
}

/**
 * Which clients a job is for, parsed once and asked often. The server chooses with it, and the page counts
 * with it what somebody types.
 */
export class Chosen {
  /** null: labels do not matter. */
  readonly selector: Selector | null;
  /** Ids without a wildcard. */
  readonly named: ReadonlySet<string>;
  /** Ids with a `*`. */
  readonly #patterns: readonly string[];
  /** True: the id does not matter. */
  readonly #isAnyId: boolean;

  /** @throws SelectorError */
  constructor({ ids, labels }: Naming) {
    this.selector = labels === undefined ? null : parseSelector(labels);
    this.#isAnyId = ids === undefined;
    this.named = new Set(ids?.filter((id) => !id.includes("*")));
    this.#patterns = ids?.filter((id) => id.includes("*")) ?? [];
  }

  /** Whether only clients named by their exact ids can be meant. */
  get isOfNamesAlone(): boolean {
    return !this.#isAnyId && this.#patterns.length === 0;
  }

  /**
   * Whether a client is meant. A revoked client is meant only by its exact id: it cannot answer before an
   * admin lets another machine take its place.
   */
  has(clientId: string, labels: Labels, isRevoked: boolean): boolean {
    if (this.selector !== null && !matches(this.selector, labels)) return false;
    if (this.named.has(clientId)) return true;
    if (isRevoked) return false;
    return this.#isAnyId || this.#patterns.some((pattern) => matchesWildcard(pattern, clientId));
  }
}
