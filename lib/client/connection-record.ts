import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { Logger } from "../util/logger.ts";
import { SerialQueue } from "../util/serial-queue.ts";
import { systemCode } from "../util/system-error.ts";

const FILE = "connection.json";

const Contents = z.object({
  state: z.enum(["connecting", "connected", "waiting", "stopped"]),
  /** Time at which the present state of the connection began, in ISO 8601, UTC. */
  since: z.iso.datetime(),
  /** Why the last connection ended or could not be made, if the state is `waiting`; else null. */
  reason: z.string().nullable(),
  server: z.string(),
  /**
   * Version of the server that the client process was connected to last; null before the first connection.
   */
  server_version: z.string().nullable(),
  /** The client's process id, and its version. */
  pid: z.int(),
  version: z.string(),
});

/** The state of the client's connection, as other programs at the site can read it. */
export type ConnectionRecord = z.infer<typeof Contents>;

/** A change of the connection's state: connected to a server, or waiting to try again after a failure. */
export type ConnectionChange =
  { state: "connected"; serverVersion: string } | { state: "waiting"; reason: string };

/**
 * Writes the state of the client's connection to `connection.json` in the state folder, for other programs at
 * the site. A failed write is logged and has no other effect.
 */
export class ConnectionRecorder {
  readonly #writing = new SerialQueue();
  readonly #path: string;
  #record: ConnectionRecord;

  constructor(
    stateDir: string,
    fixedFields: { server: string; version: string },
    private readonly logger: Logger,
  ) {
    this.#path = join(stateDir, FILE);
    this.#record = {
      ...fixedFields,
      state: "connecting",
      since: new Date().toISOString(),
      reason: null,
      server_version: null,
      pid: process.pid,
    };
    this.#write({});
  }

  change(change: ConnectionChange): void {
    const { state } = change;
    if (state === "connected") {
      this.#write({ state, reason: null, server_version: change.serverVersion });
    } else {
      this.#write({ state, reason: change.reason });
    }
  }

  /** Resolves when all changes so far are written, or when their writing has failed. */
  settled(): Promise<void> {
    return this.#writing.idle();
  }

  /** Records that the client has stopped. Resolves when the record is written. */
  close(): Promise<void> {
    this.#write({ state: "stopped", reason: null });
    return this.settled();
  }

  #write(change: Partial<ConnectionRecord>): void {
    // `since` changes only with the state, so it stays the same when a further try fails.
    const isNew = change.state !== undefined && change.state !== this.#record.state;
    const since = isNew ? new Date().toISOString() : this.#record.since;
    this.#record = { ...this.#record, ...change, since };
    const text = `${JSON.stringify(this.#record, null, 2)}\n`;
    this.#writing
      .run(() => replace(this.#path, text))
      .catch((error: unknown) => {
        this.logger.warn(`the state of the connection could not be written: ${String(error)}`);
      });
  }
}

/**
 * Replaces a file atomically, so that readers see the old text or the new one. Flushing to the disk is not
 * needed, because the client writes the record again at its next start.
 */
async function replace(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await writeFile(temporary, text, { mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Reads the state of the client's connection.
 * @returns null if no client has used this state folder yet, or if the file's content is invalid
 * @throws Error of the system if the file cannot be read
 */
export async function readConnectionRecord(stateDir: string): Promise<ConnectionRecord | null> {
  try {
    return Contents.parse(JSON.parse(await readFile(join(stateDir, FILE), "utf8")));
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === null) return null;
    throw error;
  }
}
