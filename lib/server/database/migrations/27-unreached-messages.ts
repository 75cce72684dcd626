import type { Change } from "./change.ts";

export const unreachedMessages: readonly Change[] = [
  // For messages to be hurried when a receiver is back, among thousands that wait.
  `CREATE INDEX webhook_messages_unreached ON webhook_messages (webhook_id)
    WHERE status = 'waiting' AND unreached = 1`,
];
