import { mkdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { secondsOf } from "../core/scenario.ts";
import { RsyncDaemon } from "./rsync-daemon.ts";
import { runTool } from "./tools.ts";
import type { Yardstick, YardstickSpec } from "./yardstick.ts";

/** rsync pulls a file from its daemon, with its default checksum. */
export const rsync: YardstickSpec = {
  name: "rsync",
  tools: ["rsync"],
  open: (file, folder) => openRsync(file, folder, []),
};

/** rsync with the guarantees of this project: MD5, and flushed to the disk at the end. */
export const rsyncMd5: YardstickSpec = {
  name: "rsync, MD5 and fsync",
  tools: ["rsync"],
  open: (file, folder) => openRsync(file, folder, ["--checksum-choice=md5", "--fsync"]),
};

/**
 * rsync pulls a whole folder, which is flushed to the disk at the end. The files are kept, like those of
 * sets.
 */
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
