import type { Tool } from "./tools.ts";

/** Another way to do what is measured, or a part of it, ready to run. */
export interface Yardstick extends AsyncDisposable {
  /** Carries it once; what it left behind does not count as its time. @returns seconds */
  carry: () => Promise<number>;
}

export interface YardstickSpec {
  /** For the table. */
  name: string;
  /** What it needs beside Bun. */
  tools: readonly Tool[];
  /**
   * @param source the file or folder that is carried
   * @param folder on the same file system, for what it makes
   */
  open: (source: string, folder: string) => Promise<Yardstick>;
}
