import { join, normalize } from "node:path";
import type { Logger } from "../../util/logger.ts";
import { cutToFit, fits, plainJson } from "../../util/plain-text.ts";
import type { About } from "../outgoing-stream.ts";
import { LineFile } from "./line-file.ts";
import { Recurrence, type Repeated } from "./recurrence.ts";

const MiB = 1024 * 1024;

/**
 * Length in ms of a span of time. Within a span, similar requests after the first ones are counted instead of
 * listed.
 */
const SPAN = 10 * 60 * 1000;

/** Name of the log file for requests for which files, or the names in a folder, were sent to the server. */
export const LEFT_FILE = "requests.log";

/** Limits of {@link LEFT_FILE}: 64 MiB in all, and 20 lines for each path and span of time. */
const LEFT = { file: LEFT_FILE, maxBytes: 8 * MiB, older: 7, most: 20 };

/** Limits of the log of requests for which nothing was sent. A server can send any number of them. */
const REFUSED = { file: "requests-refused.log", maxBytes: MiB, older: 1, most: 200 };

/**
 * Maximum number of bytes of a path or reason as JSON, where one character can take six bytes. The limit in
 * {@link LEFT_FILE} is as long as Linux allows a path to be.
 */
const MAX_PATH_OF_LEFT = 4096;
const MAX_TEXT_OF_REFUSED = 512;

/** A request of the server, and how it ended. */
export interface RequestEntry extends About {
  server: string;
  outcome: "sent" | "refused" | "cancelled" | "disconnected";
  /** Bytes of files that were sent to the server. Bytes sent twice count twice. */
  bytes_sent: number;
  /** The error's code and message, if the request was refused. */
  reason?: string;
}

/**
 * The site's own record of the server's requests, as lines of JSON in the state folder. Requests for which
 * something was sent have a log file of their own, so that many refused requests cannot displace their lines.
 */
export class RequestLog {
  readonly #left: Kept;
  readonly #refused: Kept;

  constructor(
    stateDir: string,
    private readonly logger: Logger,
  ) {
    const keep = ({ file, most, ...limits }: typeof LEFT): Kept => {
      const lines = new LineFile({ ...limits, path: join(stateDir, file) });
      const onRepeated = (repeated: Repeated<RequestEntry>) =>
        void this.#write(lines, lineOf(repeated));
      return { lines, again: new Recurrence({ most, span: SPAN, onRepeated }) };
    };
    this.#left = keep(LEFT);
    this.#refused = keep(REFUSED);
  }

  /**
   * Adds a request to the record. Resolves when the request is written, or counted for a summary. An error of
   * the disk is logged.
   */
  async add(entry: RequestEntry): Promise<void> {
    const hasLeft = entry.outcome === "sent" || entry.bytes_sent > 0;
    const told = shortened(entry, hasLeft ? MAX_PATH_OF_LEFT : MAX_TEXT_OF_REFUSED);
    const { lines, again } = hasLeft ? this.#left : this.#refused;
    const key = hasLeft ? `${told.outcome} ${normalize(told.file_path)}` : "";
    if (again.take(key, told, told.bytes_sent)) await this.#write(lines, told);
  }

  /** Writes the summaries of the requests counted so far, because the client stops. */
  async close(): Promise<void> {
    for (const { lines, again } of [this.#left, this.#refused]) {
      again.end();
      await lines.settled();
    }
  }

  async #write(lines: LineFile, entry: object): Promise<void> {
    try {
      await lines.append(plainJson({ time: new Date().toISOString(), ...entry }));
    } catch (error) {
      const { path } = lines;
      this.logger.error("a request could not be recorded", { path }, error);
    }
  }
}

/** A log file of requests, and the counter that limits how many similar requests are listed in it. */
interface Kept {
  lines: LineFile;
  again: Recurrence<RequestEntry>;
}

/** Returns the line that summarizes requests that were counted instead of listed. */
function lineOf({ first, times, bytes }: Repeated<RequestEntry>): object {
  const { server, file_path, outcome } = first;
  return bytes > 0 || outcome === "sent"
    ? { server, file_path, outcome, times, bytes_sent: bytes }
    : { server, outcome: "refused", times };
}

function shortened(entry: RequestEntry, most: number): RequestEntry {
  const { file_path, reason } = entry;
  return {
    ...entry,
    // A long path is normalized before it is cut, so that `..` in it cannot hide the part that matters.
    file_path: fits(file_path, most) ? file_path : cutToFit(normalize(file_path), most),
    reason: reason && cutToFit(reason, most),
  };
}
