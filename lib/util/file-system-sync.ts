import { constants } from "node:os";
import { Worker } from "node:worker_threads";

/** The error that syncfs(2) gives where a disk could not take everything, in the form of a system error. */
const EIO = { code: "EIO", errno: -constants.errno.EIO };

type Answer = "flushed" | "failed" | "unsupported";

/**
 * Flushes a whole file system by syncfs(2): one call for any number of small files. It reports errors that
 * came since the folder was opened, also those of writes that the kernel did by itself in between (Linux
 * 5.8 and later). So open the folder before writing.
 */
class FileSystemSync {
  #worker: Worker | undefined;
  readonly #waiting: ((answer: Answer) => void)[] = [];

  /**
   * Resolves when everything that was written before the call is on the disk.
   * @param fd of an open folder
   * @returns false where the system has no such call: nothing was flushed
   * @throws Error when the disk could not take all of it
   */
  async flush(fd: number): Promise<boolean> {
    if (process.platform !== "linux") return false;
    const answer = await this.#ask(fd);
    if (answer === "failed") throw Object.assign(new Error("syncfs failed"), EIO);
    return answer === "flushed";
  }

  /** The worker answers in the order in which it was asked. */
  #ask(fd: number): Promise<Answer> {
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      worker.postMessage(fd);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./syncfs-worker.ts", import.meta.url));
    worker.on("message", (answer: Answer) => this.#waiting.shift()?.(answer));
    worker.on("error", () => {
      for (const resolve of this.#waiting.splice(0)) resolve("failed");
      this.#worker = undefined;
    });
    // It keeps no program alive.
    worker.unref();
    return worker;
  }
}

/** One thread serves the whole program. */
export const fileSystemSync = new FileSystemSync();
