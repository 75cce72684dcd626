import type { Mutation } from "./mutation.ts";
import { LOG, POSTGRES_CUTS, POWER, ROW_6, SERVERS, TELLER } from "./tests.ts";

/** Mutations of the database code. */
export const ROWS: readonly Mutation[] = [
  {
    name: "log-flushed-again-after-a-failure",
    breaks: "A, B: a log that could not be flushed is not taken for safe by the next flush",
    file: "lib/server/database/write-ahead-log.ts",
    find: `if (this.#lastFlushFailed) this.emptyLog();
      else `,
    replace: ``,
    caughtBy: { [LOG]: "gets to the database itself" },
  },
  {
    name: "row-not-flushed",
    breaks: "A, C: what a row says of a name outlives a loss of power before the name is taken",
    file: "lib/server/database/sql.ts",
    find: `if (row && !mayBeUndone(next, before)) await this.database.flush();`,
    replace: ``,
    caughtBy: { [POWER]: ROW_6 },
  },
  {
    name: "change-without-mark",
    breaks: "C, F: a change in Postgres whose answer was lost is made once",
    file: "lib/server/database/postgres-made-changes.ts",
    find: `if (!isRetry) return this.#make(text, values);`,
    replace: `return this.#make(text, values);`,
    caughtBy: { [POSTGRES_CUTS]: "does each change once" },
  },
  {
    name: "mark-forgotten-too-early",
    breaks: "C: a change in Postgres is made once, however late an earlier try of it arrives",
    file: "lib/server/database/postgres-made-changes.ts",
    find: `if (isRetried) this.#retriedAnsweredAt.set(number, performance.now());`,
    replace: ``,
    caughtBy: { [POSTGRES_CUTS]: "makes no change again that arrives" },
  },
  {
    name: "connection-given-to-nobody",
    breaks: "C: who waits for a connection to Postgres gets one that is given back",
    file: "lib/server/database/postgres-pool.ts",
    find: `(await this.#openOne()) ?? this.#idle.pop();`,
    replace: `(await this.#openOne());`,
    caughtBy: { [POSTGRES_CUTS]: "makes do with the connections that it gives" },
  },
  {
    name: "messages-out-of-order",
    breaks: "what a webhook is told about one subject comes in order",
    file: "lib/server/database/outbox-sql.ts",
    find: `AND earlier.status = 'waiting' AND earlier.number < due.number)`,
    replace: `AND earlier.status = 'waiting' AND earlier.number < 0)`,
    caughtBy: { [TELLER]: "keeps the order of what is about one subject, over refusals" },
  },
  {
    name: "a-claim-without-the-client",
    breaks: "a download has one owner at a time, the server that holds the client",
    file: "lib/server/database/queue-sql.ts",
    find: `      WHERE client_id = \${clientId} AND lease_id = \${owner} FOR SHARE)\`;`,
    replace: `      WHERE client_id = \${clientId} FOR SHARE)\`;`,
    caughtBy: {
      [SERVERS]: "claim only for clients that they hold, under a lease that is not over",
    },
  },
  {
    name: "a-set-written-by-who-lost-it",
    breaks: "the rows of a set say of a file that it is here only where it is",
    file: "lib/server/database/engines.ts",
    find: `      WHERE download_id = \${downloadId} AND epoch = \${epoch} FOR SHARE)\`,`,
    replace: `      WHERE download_id = \${downloadId} FOR SHARE)\`,`,
    caughtBy: { [SERVERS]: "write nothing of the files of a set that another one goes on with" },
  },
  {
    name: "a-publishing-under-its-old-number",
    breaks: "a publishing has one owner at a time",
    file: "lib/server/database/servers-sql.ts",
    find: `owner = \${this.#leaseId}, epoch = epoch + 1, revision`,
    replace: `owner = \${this.#leaseId}, revision`,
    caughtBy: { [SERVERS]: "take a publishing over once, and who began it records nothing more" },
  },
];
