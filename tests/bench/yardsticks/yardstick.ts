import type { Tool } from "./tools.ts";

/** Another way to do what is measured, or a part of it, ready to run. */
export interface Yardstick extends AsyncDisposable {
  /** Carries the file once; what it left behind does not count as its time. @returns seconds */
  carry: () => Promise<number>;
}

export interface YardstickSpec {
  /** For the table. */
  name: string;
  /** What it needs beside Bun. */
  tools: readonly Tool[];
  /**
   * @param file what is carried
   * @param folder on the same file system, for what it makes
   */
  open: (file: string, folder: string) => Promise<Yardstick>;
}
