import { join, normalize } from "node:path";
import type { Logger } from "../../util/logger.ts";
import { cutToFit, fits, plainJson } from "../../util/plain-text.ts";
import type { RequestDetails } from "../outgoing-stream.ts";
import { LineFile } from "./line-file.ts";
import { Recurrence, type Repeated } from "./recurrence.ts";

const MiB = 1024 * 1024;

/**
 * Length in ms of a span of time. Within a span, similar requests after the first ones are counted instead of
 * listed.
 */
const SPAN = 10 * 60 * 1000;

/** Name of the log file for requests for which files, or the names in a folder, were sent to the server. */
export const SENT_LOG_FILE = "requests.log";

/** Limits of {@link SENT_LOG_FILE}: 64 MiB in all, and 20 lines for each path and span of time. */
const SENT_LOG = { file: SENT_LOG_FILE, maxBytes: 8 * MiB, keptFiles: 7, maxLines: 20 };

/** Limits of the log of requests for which nothing was sent. A server can send any number of them. */
const REFUSED_LOG = { file: "requests-refused.log", maxBytes: MiB, keptFiles: 1, maxLines: 200 };

/**
 * Maximum number of bytes of a path or reason as JSON, where one character can take six bytes. The limit in
 * {@link SENT_LOG_FILE} is as long as Linux allows a path to be.
 */
const MAX_SENT_PATH_BYTES = 4096;
const MAX_REFUSED_TEXT_BYTES = 512;

/** A request of the server, and how it ended. */
export interface RequestEntry extends RequestDetails {
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
  readonly #sent: LimitedLog;
  readonly #refused: LimitedLog;

  constructor(
    stateDir: string,
    private readonly logger: Logger,
  ) {
    const limitedLog = ({ file, maxLines, ...limits }: typeof SENT_LOG): LimitedLog => {
      const lines = new LineFile({ ...limits, path: join(stateDir, file) });
      const onRepeated = (repeated: Repeated<RequestEntry>) =>
        void this.#write(lines, summaryOf(repeated));
      return {
        lines,
        recurrence: new Recurrence({ maxReported: maxLines, span: SPAN, onRepeated }),
      };
    };
    this.#sent = limitedLog(SENT_LOG);
    this.#refused = limitedLog(REFUSED_LOG);
  }

  /**
   * Adds a request to the record. Resolves when the request is written, or counted for a summary. An error of
   * the disk is logged.
   */
  async add(entry: RequestEntry): Promise<void> {
    const hasSent = entry.outcome === "sent" || entry.bytes_sent > 0;
    const shortEntry = shortened(entry, hasSent ? MAX_SENT_PATH_BYTES : MAX_REFUSED_TEXT_BYTES);
    const { lines, recurrence } = hasSent ? this.#sent : this.#refused;
    const key = hasSent ? `${shortEntry.outcome} ${normalize(shortEntry.file_path)}` : "";
    if (recurrence.take(key, shortEntry, shortEntry.bytes_sent))
      await this.#write(lines, shortEntry);
  }

  /** Writes the summaries of the requests counted so far, because the client stops. */
  async close(): Promise<void> {
    for (const { lines, recurrence } of [this.#sent, this.#refused]) {
      recurrence.end();
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
interface LimitedLog {
  lines: LineFile;
  recurrence: Recurrence<RequestEntry>;
}

/** Returns the line that summarizes requests that were counted instead of listed. */
function summaryOf({ first, times, bytes }: Repeated<RequestEntry>): object {
  const { server, file_path, outcome } = first;
  return bytes > 0 || outcome === "sent"
    ? { server, file_path, outcome, times, bytes_sent: bytes }
    : { server, outcome: "refused", times };
}

function shortened(entry: RequestEntry, maxBytes: number): RequestEntry {
  const { file_path, reason } = entry;
  return {
    ...entry,
    // A long path is normalized before it is cut, so that `..` in it cannot hide the part that matters.
    file_path: fits(file_path, maxBytes) ? file_path : cutToFit(normalize(file_path), maxBytes),
    reason: reason && cutToFit(reason, maxBytes),
  };
}
