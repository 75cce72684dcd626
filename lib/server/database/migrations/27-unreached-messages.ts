import type { Change } from "./change.ts";

export const unreachedMessages: readonly Change[] = [
  // Finds messages whose receiver could not be reached. They become due at once when the receiver is back.
  `CREATE INDEX webhook_messages_unreached ON webhook_messages (webhook_id)
    WHERE status = 'waiting' AND unreached = 1`,
];
