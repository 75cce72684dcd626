import { appendFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../../util/logger.ts";
import { plainJson } from "../../util/plain-text.ts";
import { systemCode } from "../../util/system-error.ts";

/** Beyond this size, in bytes, the log begins anew; the one before it is kept. */
const MAX_BYTES = 8 * 1024 * 1024;

/** A request of the server's, and what became of it. */
export interface RequestEntry {
  server: string;
  download_id: string;
  /** As the server asked for it. */
  file_path: string;
  outcome: "sent" | "refused" | "cancelled" | "disconnected";
  /** Bytes of the file that left, those that were sent twice counted twice. */
  bytes_sent: number;
  /** Why it was refused. */
  reason?: string;
}

/**
 * The site's own record of what a server asked for, and of what left: lines of JSON in the state
 * folder, in a file that only the client's user reads.
 */
export class RequestLog {
  readonly #path: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    stateDir: string,
    private readonly logger: Logger,
  ) {
    this.#path = join(stateDir, "requests.log");
  }

  /** Resolves when it is written; an error of the disk is told in the program's log. */
  add(entry: RequestEntry): Promise<void> {
    const line = `${plainJson({ time: new Date().toISOString(), ...entry })}\n`;
    this.#writing = this.#writing
      .then(() => this.#append(line))
      .catch((error: unknown) =>
        this.logger.error("a request could not be recorded", { path: this.#path }, error),
      );
    return this.#writing;
  }

  async #append(line: string): Promise<void> {
    if ((await sizeOf(this.#path)) + line.length > MAX_BYTES) {
      await rename(this.#path, `${this.#path}.1`);
    }
    await appendFile(this.#path, line, { mode: 0o600 });
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return 0;
    throw error;
  }
}
