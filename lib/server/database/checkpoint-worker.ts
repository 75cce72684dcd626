import { Database } from "bun:sqlite";
import { parentPort, workerData } from "node:worker_threads";

/*
 * A worker thread that runs SQLite's checkpoints, which move pages from the write-ahead log to the database
 * file. Each message to it names the mode of a checkpoint. The reply is the number of pages left in the log.
 */

/**
 * How long a checkpoint waits for locks of other programs, in ms. In mode RESTART, this server's changes also
 * wait meanwhile.
 */
const PATIENCE_MS = 200;

const database = new Database(String(workerData), { create: false, readwrite: true });
database.run(`PRAGMA busy_timeout = ${PATIENCE_MS}`);
database.run("PRAGMA synchronous = NORMAL");

parentPort?.on("message", (mode: "PASSIVE" | "RESTART") => {
  const [[, pages, moved] = []] = database.prepare(`PRAGMA wal_checkpoint(${mode})`).values();
  parentPort?.postMessage(Number(pages) - Number(moved));
});
