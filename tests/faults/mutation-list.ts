import { FILES } from "./mutation-list/files.ts";
import { PEERS } from "./mutation-list/peers.ts";
import { ROWS } from "./mutation-list/rows.ts";
import { SETS } from "./mutation-list/sets.ts";
import { TRANSFER } from "./mutation-list/transfer.ts";
import type { Mutation } from "./mutation-list/mutation.ts";

/** The product broken on purpose, one place at a time. */
export const MUTATIONS: readonly Mutation[] = [...FILES, ...ROWS, ...TRANSFER, ...SETS, ...PEERS];

/**
 * The text of the mutated file.
 * @throws Error where what is to be replaced is not there exactly once
 */
export function mutate(text: string, { name, file, find, replace }: Mutation): string {
  const times = text.split(find).length - 1;
  if (times !== 1) {
    throw new Error(`"${name}": what it replaces is in "${file}" ${times} times, expected once`);
  }
  return text.replace(find, () => replace);
}
