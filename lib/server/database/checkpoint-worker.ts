import { Database } from "bun:sqlite";
import { parentPort, workerData } from "node:worker_threads";

/*
 * Moves the log of a database to the database itself, for checkpoints.ts, which chooses the mode. It
 * answers with the number of pages left in the log.
 */

/** How long to wait for other programs that write, in ms. This server's changes wait meanwhile. */
const PATIENCE_MS = 200;

const database = new Database(String(workerData), { create: false, readwrite: true });
database.run(`PRAGMA busy_timeout = ${PATIENCE_MS}`);
database.run("PRAGMA synchronous = NORMAL");

parentPort?.on("message", (mode: "PASSIVE" | "RESTART") => {
  const [[, pages, moved] = []] = database.prepare(`PRAGMA wal_checkpoint(${mode})`).values();
  parentPort?.postMessage(Number(pages) - Number(moved));
});
