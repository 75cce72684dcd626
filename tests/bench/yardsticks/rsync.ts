import { rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { freePort, untilListening } from "../core/ports.ts";
import { secondsOf } from "../core/scenario.ts";
import { runTool, startTool } from "./tools.ts";
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

async function openRsync(file: string, folder: string, flags: string[]): Promise<Yardstick> {
  const port = await freePort();
  const config = join(folder, `rsyncd-${port}.conf`);
  const target = join(folder, `rsync-${port}.bin`);
  await writeFile(config, `use chroot = no\n[files]\npath = ${dirname(file)}\n`);
  const daemon = startTool("rsync", [
    ...["--daemon", "--no-detach", "--address=127.0.0.1", `--port=${port}`, `--config=${config}`],
  ]);
  await untilListening(port, "the rsync daemon");
  const source = `rsync://127.0.0.1:${port}/files/${basename(file)}`;
  return {
    async carry() {
      const seconds = await secondsOf(() => runTool("rsync", [...flags, source, target]));
      await rm(target);
      return seconds;
    },
    async [Symbol.asyncDispose]() {
      daemon.kill();
      await daemon.exited;
    },
  };
}
