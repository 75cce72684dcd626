import { FILES } from "./mutation-list/files.ts";
import { PEERS } from "./mutation-list/peers.ts";
import { ROWS } from "./mutation-list/rows.ts";
import { SETS } from "./mutation-list/sets.ts";
import { TRANSFER } from "./mutation-list/transfer.ts";
import type { Mutation } from "./mutation-list/mutation.ts";

/** Faults to be put into the source code, one at a time, that the tests must detect. */
export const MUTATIONS: readonly Mutation[] = [...FILES, ...ROWS, ...TRANSFER, ...SETS, ...PEERS];

/**
 * Applies a mutation to a source text.
 * @returns the changed text
 * @throws Error unless the text to replace occurs exactly once
 */
export function mutate(text: string, { name, file, find, replace }: Mutation): string {
  const times = text.split(find).length - 1;
  if (times !== 1) {
    throw new Error(`"${name}": what it replaces is in "${file}" ${times} times, expected once`);
  }
  return text.replace(find, () => replace);
}
