import { FileReceiver } from "../../lib/server/transfer/file-receiver.ts";

/*
 * This file is preloaded into a server by BUN_OPTIONS, and never imported. Files with certain
 * names trigger exceptions in places where the code expects none.
 */

const BUGS: Record<string, { at: "onMessage" | "onFrame"; strike: () => void }> = {
  "throws at a message": { at: "onMessage", strike: thrown },
  "throws at a frame": { at: "onFrame", strike: thrown },
  "throws later": { at: "onFrame", strike: () => void setTimeout(thrown) },
  "rejects, and nobody listens": {
    at: "onFrame",
    strike: () => void Promise.reject(new TypeError("a planted bug")),
  },
};

function thrown(): never {
  throw new TypeError("a planted bug");
}

/** Patches a method of every receiver so that it first triggers the bug that belongs to the file's name. */
function plant(at: "onMessage" | "onFrame"): void {
  const method: (this: FileReceiver, incoming: never) => never = FileReceiver.prototype[
    at
  ] as never;
  FileReceiver.prototype[at] = function (incoming) {
    const bug = BUGS[this["options"].download.filePath];
    if (bug?.at === at) bug.strike();
    return method.call(this, incoming as never);
  };
}

plant("onMessage");
plant("onFrame");
