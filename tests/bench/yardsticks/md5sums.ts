import { secondsOf } from "../core/scenario.ts";
import { runTool } from "./tools.ts";
import type { YardstickSpec } from "./yardstick.ts";

/**
 * The speed limit that the checksum sets: both ends compute the MD5 at the same time, and nothing is sent.
 */
export const md5sums: YardstickSpec = {
  name: "two md5sum",
  tools: ["md5sum"],
  async open(file) {
    const both = () => Promise.all([runTool("md5sum", [file]), runTool("md5sum", [file])]);
    return { carry: () => secondsOf(both), async [Symbol.asyncDispose]() {} };
  },
};
