import type { Change } from "./change.ts";

export const bytesOnWire: readonly Change[] = [
  `ALTER TABLE downloads ADD COLUMN bytes_on_wire BIGINT NOT NULL DEFAULT 0`,
  // Before this version, files were not compressed, so that the number of bytes sent equals the number of
  // durable bytes.
  `UPDATE downloads SET bytes_on_wire = safe_offset`,
];
