import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { Logger } from "../util/logger.ts";
import { SerialQueue } from "../util/serial-queue.ts";
import { systemCode } from "../util/system-error.ts";

const FILE = "connection.json";

const Contents = z.object({
  state: z.enum(["connecting", "connected", "waiting", "stopped"]),
  /** ISO 8601, UTC. */
  since: z.iso.datetime(),
  /** Why the last try failed. */
  reason: z.string().nullable(),
  server: z.string(),
  /** Version of the server that this process reached last; null: none yet. */
  server_version: z.string().nullable(),
  /** The process of the client, and its version. */
  pid: z.int(),
  version: z.string(),
});

/** The state of the client's connection, as the site's programs see it. */
export type ConnectionRecord = z.infer<typeof Contents>;

/** A change: connected to a server of some version, or waiting for the next try for a reason. */
export type ConnectionChange =
  { state: "connected"; serverVersion: string } | { state: "waiting"; reason: string };

/**
 * Tells other programs at the site whether the client is connected: `connection.json` in the state folder.
 * A failed write is logged, and holds nothing up.
 */
export class ConnectionRecorder {
  readonly #writing = new SerialQueue();
  readonly #path: string;
  #record: ConnectionRecord;

  constructor(
    stateDir: string,
    about: { server: string; version: string },
    private readonly logger: Logger,
  ) {
    this.#path = join(stateDir, FILE);
    this.#record = {
      ...about,
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

  /** Resolves when all changes so far are written, or have failed to be. */
  settled(): Promise<void> {
    return this.#writing.idle();
  }

  /** Records that the client stopped. Resolves when that is written. */
  close(): Promise<void> {
    this.#write({ state: "stopped", reason: null });
    return this.settled();
  }

  #write(change: Partial<ConnectionRecord>): void {
    // A repeated wait keeps the time at which waiting began.
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
 * Replaces the file: readers see the old text or the new one. It is not flushed, as the next start writes
 * it anew.
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
 * @returns null where no client ever ran with this folder, or the file cannot be understood
 * @throws Error of the system where the file may not be read
 */
export async function readConnectionRecord(stateDir: string): Promise<ConnectionRecord | null> {
  try {
    return Contents.parse(JSON.parse(await readFile(join(stateDir, FILE), "utf8")));
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === null) return null;
    throw error;
  }
}
