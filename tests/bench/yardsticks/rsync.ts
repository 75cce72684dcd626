import { mkdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { secondsOf } from "../core/scenario.ts";
import { RsyncDaemon } from "./rsync-daemon.ts";
import { runTool } from "./tools.ts";
import type { Yardstick, YardstickSpec } from "./yardstick.ts";

/** rsync pulls from its daemon, with the check that it makes by itself. */
export const rsync: YardstickSpec = {
  name: "rsync",
  tools: ["rsync"],
  open: (file, folder) => openRsync(file, folder, []),
};

/** The same with our promises: MD5, and on the disk when it ends. */
export const rsyncMd5: YardstickSpec = {
  name: "rsync, MD5 and fsync",
  tools: ["rsync"],
  open: (file, folder) => openRsync(file, folder, ["--checksum-choice=md5", "--fsync"]),
};

/** A whole folder, which is on the disk when it ends. What came stays, as that of our own sets does. */
export const rsyncFolder: YardstickSpec = {
  name: "rsync -r and sync -f",
  tools: ["rsync", "sync"],
  async open(source, folder) {
    const daemon = await RsyncDaemon.start(source, folder);
    let times = 0;
    return {
      async carry() {
        const target = join(folder, `rsync-${daemon.port}-${++times}`);
        await mkdir(target);
        return await secondsOf(async () => {
          await runTool("rsync", ["-r", daemon.url(""), target]);
          await runTool("sync", ["-f", target]);
        });
      },
      [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
    };
  },
};

async function openRsync(file: string, folder: string, flags: string[]): Promise<Yardstick> {
  const daemon = await RsyncDaemon.start(dirname(file), folder);
  const target = join(folder, `rsync-${daemon.port}.bin`);
  return {
    async carry() {
      const source = daemon.url(basename(file));
      const seconds = await secondsOf(() => runTool("rsync", [...flags, source, target]));
      await rm(target);
      return seconds;
    },
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}
