import type { Tool } from "./tools.ts";

/** A comparison that is ready to run: another tool that makes the same transfer, or a part of it. */
export interface Yardstick extends AsyncDisposable {
  /**
   * Makes the transfer once. Cleaning up afterwards is not included in the time.
   * @returns the duration, in s
   */
  carry: () => Promise<number>;
}

export interface YardstickSpec {
  /** Name of the comparison in the tables. */
  name: string;
  /** Programs that must be installed in addition to Bun. */
  tools: readonly Tool[];
  /**
   * Prepares the comparison.
   * @param source file or folder to transfer
   * @param folder folder on the same file system for the files that the comparison creates
   */
  open: (source: string, folder: string) => Promise<Yardstick>;
}
