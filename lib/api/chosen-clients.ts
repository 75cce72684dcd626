import { matchesWildcard } from "../util/wildcard.ts";
import type { Labels } from "./labels.ts";
import { matches, parseSelector, type Selector } from "./selector.ts";

/**
 * Which clients a request selects: all of them, or those that match the given ids, the given labels, or both.
 */
export interface ClientChoice {
  all?: true | undefined;
  ids?: readonly string[] | undefined;
  labels?: string | undefined;
}

/**
 * Decides which clients a job selects. The ids and labels of the request are parsed once, for any number of
 * clients. The server uses this class to choose clients, and the dashboard to count them while somebody fills
 * in a request.
 */
export class Chosen {
  /** Condition on the labels of a client; null if labels do not matter. */
  readonly selector: Selector | null;
  /** Exact ids of clients. */
  readonly named: ReadonlySet<string>;
  /** Patterns of client ids, each with at least one `*`. */
  readonly #patterns: readonly string[];
  /** Whether clients are selected regardless of their ids. */
  readonly #isAnyId: boolean;

  /** Parses the ids and the label selector of a request. @throws SelectorError if the selector is invalid */
  constructor({ ids, labels }: ClientChoice) {
    this.selector = labels === undefined ? null : parseSelector(labels);
    this.#isAnyId = ids === undefined;
    this.named = new Set(ids?.filter((id) => !id.includes("*")));
    this.#patterns = ids?.filter((id) => id.includes("*")) ?? [];
  }

  /**
   * Whether all selected clients are named by their full ids, so that no other clients have to be examined.
   */
  get hasOnlyExactIds(): boolean {
    return !this.#isAnyId && this.#patterns.length === 0;
  }

  /**
   * Reports whether a client is selected. A revoked client is selected only by its exact id, because it
   * cannot connect until an admin lets another machine take over its id.
   */
  has(clientId: string, labels: Labels, isRevoked: boolean): boolean {
    if (this.selector !== null && !matches(this.selector, labels)) return false;
    if (this.named.has(clientId)) return true;
    if (isRevoked) return false;
    return this.#isAnyId || this.#patterns.some((pattern) => matchesWildcard(pattern, clientId));
  }
}
