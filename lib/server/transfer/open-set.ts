import type { Downloading } from "../download.ts";
import type { SetOrder, SetRows } from "../set.ts";
import type { SetFolder } from "../storage/storage.ts";
import type { StreamCommand } from "./incoming-stream.ts";
import type { SetTally } from "./set-tally.ts";
import type { StallWatch } from "./stall-watch.ts";

/** What an attempt at a set holds once its folder is open, in every phase. */
export interface OpenSet {
  download: Downloading;
  order: SetOrder;
  rows: SetRows;
  folder: SetFolder;
  /** See {@link SetStorage.checkpointBytes}. */
  checkpointBytes: number;
  tally: SetTally;
  stalled: StallWatch;
  /** Sends the client a message about the set. */
  tell: (command: StreamCommand) => void;
  /** Whether nothing more is accepted. */
  isOver: () => boolean;
}
