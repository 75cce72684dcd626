import type { Change } from "./change.ts";

export const identity: readonly Change[] = [
  // One row: a random id of this database, by which its storage is marked.
  `CREATE TABLE database_identity (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id TEXT NOT NULL
  )`,
];
