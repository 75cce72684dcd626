import type { Downloading } from "../download.ts";
import type { SetOrder, SetRows } from "../set.ts";
import type { SetFolder } from "../storage/storage.ts";
import type { StreamCommand } from "./incoming-stream.ts";
import type { SetTally } from "./set-tally.ts";
import type { StallWatch } from "./stall-watch.ts";

/** The state of an attempt to receive a set, shared by its phases once the set's folder is open. */
export interface OpenSet {
  download: Downloading;
  order: SetOrder;
  rows: SetRows;
  folder: SetFolder;
  /** Number of written bytes after which a checkpoint is due, see {@link SetStorage.checkpointBytes}. */
  checkpointBytes: number;
  tally: SetTally;
  stallWatch: StallWatch;
  /** Sends the client a message about the set. */
  tell: (command: StreamCommand) => void;
  /** Reports whether the attempt is over. */
  isOver: () => boolean;
}
