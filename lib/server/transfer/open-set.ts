import type { Downloading } from "../download.ts";
import type { SetOrder, SetRows } from "../set.ts";
import type { SetFolder } from "../storage/storage.ts";
import type { StreamCommand } from "./incoming-stream.ts";
import type { SetTally } from "./set-tally.ts";
import type { StallWatch } from "./stall-watch.ts";

/** What an attempt at a set holds from when its folder is open, in every phase. */
export interface OpenSet {
  download: Downloading;
  order: SetOrder;
  rows: SetRows;
  folder: SetFolder;
  /** The most bytes of it that may be written and not durable. */
  maxUnsafe: number;
  tally: SetTally;
  stalled: StallWatch;
  /** Tells the client something about the set. */
  tell: (command: StreamCommand) => void;
  /** True once nothing more is taken. */
  isOver: () => boolean;
}
