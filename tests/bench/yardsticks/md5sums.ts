import { secondsOf } from "../core/scenario.ts";
import { runTool } from "./tools.ts";
import type { YardstickSpec } from "./yardstick.ts";

/** The limit of the checksum: both ends compute it at the same time, and nothing is carried. */
export const md5sums: YardstickSpec = {
  name: "two md5sum",
  tools: ["md5sum"],
  async open(file) {
    const both = () => Promise.all([runTool("md5sum", [file]), runTool("md5sum", [file])]);
    return { carry: () => secondsOf(both), async [Symbol.asyncDispose]() {} };
  },
};
