import { constants } from "node:os";
import { Worker } from "node:worker_threads";

/** The error that syncfs(2) gives where a disk could not take everything, in the form of a system error. */
const EIO = { code: "EIO", errno: -constants.errno.EIO };

type Answer = "done" | "failed" | "unsupported";

/** A thread that makes one call of the system after the other. */
class CallThread {
  #worker: Worker | undefined;
  readonly #waiting: ((answer: Answer) => void)[] = [];

  /** The thread answers in the order in which it was asked. */
  ask(call: "syncfs" | "write", fd: number): Promise<Answer> {
    if (process.platform !== "linux") return Promise.resolve("unsupported");
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      worker.postMessage({ call, fd });
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./disk-calls-worker.ts", import.meta.url));
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

/** Flushes of one file system, shared by the whole program. */
class DiskCalls {
  readonly #flushing = new CallThread();
  readonly #writing = new CallThread();

  /**
   * Flushes a whole file system by syncfs(2): one call for any number of small files. It reports errors
   * that came since the folder was opened, also those of writes that the kernel did by itself in between
   * (Linux 5.8 and later). So open the folder before writing.
   *
   * Resolves when everything that was written before the call is on the disk.
   * @param fd of an open folder
   * @returns false where the system has no such call: nothing was flushed
   * @throws Error when the disk could not take all of it
   */
  async flush(fd: number): Promise<boolean> {
    const answer = await this.#flushing.ask("syncfs", fd);
    if (answer === "failed") throw Object.assign(new Error("syncfs failed"), EIO);
    return answer === "done";
  }

  /**
   * Lets the disk begin with a file's bytes now rather than at the next flush, by sync_file_range(2).
   * Nothing is durable by it, and the next flush reports its errors.
   * @param fd of an open file, which must stay open until this resolves
   */
  async beginWriting(fd: number): Promise<void> {
    await this.#writing.ask("write", fd);
  }
}

/** Two threads serve the whole program, each from its first call on. */
export const diskCalls = new DiskCalls();
