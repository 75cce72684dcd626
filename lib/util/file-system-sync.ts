import { constants } from "node:os";
import { Worker } from "node:worker_threads";

/** Fields of a system error, for a syncfs(2) that failed to write everything to the disk. */
const EIO = { code: "EIO", errno: -constants.errno.EIO };

type Answer = "flushed" | "failed" | "unsupported";

/**
 * Flushes a whole file system by syncfs(2): one call for any number of small files. The call gets an open
 * folder, and reports every write that failed since the folder was opened, also in the kernel's own writeback
 * (Linux 5.8 and later). So open the folder before writing the files.
 */
class FileSystemSync {
  #worker: Worker | undefined;
  readonly #waiting: ((answer: Answer) => void)[] = [];

  /**
   * Flushes everything that was written to a file system before this call.
   * @param fd descriptor of an open folder of the file system
   * @returns false if the system has no syncfs(2), and nothing was flushed
   * @throws Error with code EIO if not everything could be written to the disk
   */
  async flush(fd: number): Promise<boolean> {
    if (process.platform !== "linux") return false;
    const answer = await this.#ask(fd);
    if (answer === "failed") throw Object.assign(new Error("syncfs failed"), EIO);
    return answer === "flushed";
  }

  /** Sends a descriptor to the worker thread. The worker's answers come in the order of the requests. */
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
    // Without unref, the worker thread would keep the process running.
    worker.unref();
    return worker;
  }
}

/** The flusher that the whole process shares, with one worker thread. */
export const fileSystemSync = new FileSystemSync();
