import type { Change } from "./change.ts";

export const bytesOnWire: readonly Change[] = [
  `ALTER TABLE downloads ADD COLUMN bytes_on_wire BIGINT NOT NULL DEFAULT 0`,
  // Until now every byte came as it is.
  `UPDATE downloads SET bytes_on_wire = safe_offset`,
];
