import { join, normalize } from "node:path";
import type { Logger } from "../../util/logger.ts";
import { cutToFit, fits, plainJson } from "../../util/plain-text.ts";
import type { About } from "../outgoing-stream.ts";
import { LineFile } from "./line-file.ts";
import { Recurrence, type Repeated } from "./recurrence.ts";

const MiB = 1024 * 1024;

/** Span in ms in which repeated requests are counted once they are many, instead of listed. */
const SPAN = 10 * 60 * 1000;

/** Name of the record about files that left. */
export const LEFT_FILE = "requests.log";

/** Kept longest: 64 MiB, with a limit for each file and span. */
const LEFT = { file: LEFT_FILE, maxBytes: 8 * MiB, older: 7, most: 20 };

/** Limits of the lines about everything else, as the server decides how much it asks for. */
const REFUSED = { file: "requests-refused.log", maxBytes: MiB, older: 1, most: 200 };

/**
 * Most bytes of a text in JSON, where one character can take six. The path of a file that left always fits.
 */
const MAX_PATH_OF_LEFT = 4096;
const MAX_TEXT_OF_REFUSED = 512;

/** A request of the server, and how it ended. */
export interface RequestEntry extends About {
  server: string;
  outcome: "sent" | "refused" | "cancelled" | "disconnected";
  /** Bytes of files that left; bytes sent twice count twice. */
  bytes_sent: number;
  /** Why it was refused. */
  reason?: string;
}

/**
 * The site's own record of what the server asked for: lines of JSON in the state folder. Requests of which
 * something left have a file of their own, so that a flood of others cannot push them out.
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

  /** Resolves when the entry is written or counted. An error of the disk goes to the program's log. */
  async add(entry: RequestEntry): Promise<void> {
    const hasLeft = entry.outcome === "sent" || entry.bytes_sent > 0;
    const told = shortened(entry, hasLeft ? MAX_PATH_OF_LEFT : MAX_TEXT_OF_REFUSED);
    const { lines, again } = hasLeft ? this.#left : this.#refused;
    const key = hasLeft ? `${told.outcome} ${normalize(told.file_path)}` : "";
    if (again.take(key, told, told.bytes_sent)) await this.#write(lines, told);
  }

  /** Writes what was counted, as the program ends. */
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

/** A file of the record, and its counted repetitions. */
interface Kept {
  lines: LineFile;
  again: Recurrence<RequestEntry>;
}

/** The line for repetitions that were counted. */
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
    // A long path is normalized first, so that steps taken back by `..` use up no room.
    file_path: fits(file_path, most) ? file_path : cutToFit(normalize(file_path), most),
    reason: reason && cutToFit(reason, most),
  };
}
