import { lstat, mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { isSafeFileName } from "../../util/safe-file-name.ts";
import { systemCode } from "../../util/system-error.ts";
import { Failure } from "../program.ts";

/**
 * The folder on this machine in which the files of a set are saved. Subfolders are made as needed. Unsafe
 * names and links are refused, so a server cannot make a file outside the folder.
 */
export class SetFolders {
  /** The folders that were made or checked in this run. The key is the folder's path. */
  readonly #folders = new Map<string, Promise<void>>();

  readonly #root: string;

  /** @param root an existing folder, or the name of a new folder */
  constructor(root: string) {
    this.#root = resolve(root);
  }

  /**
   * Returns the path for a file, and makes the folders above it.
   * @param pathInSet path of the file within the set, with forward slashes
   * @throws Failure where a name is not safe, or a link or a file is in the way
   */
  async pathOf(pathInSet: string): Promise<string> {
    const names = pathInSet.split("/");
    if (!names.every(isSafeFileName)) {
      throw new Failure(
        `nothing was saved under "${pathInSet}": the server must not name a file like this`,
      );
    }
    const path = join(this.#root, ...names);
    for (let count = 0; count < names.length; count++) {
      await this.#folder(join(this.#root, ...names.slice(0, count)));
    }
    if ((await kindOf(path)) === "link") throw obstacleFailure(path);
    return path;
  }

  #folder(path: string): Promise<void> {
    const ready = this.#folders.get(path) ?? this.#make(path);
    this.#folders.set(path, ready);
    return ready;
  }

  async #make(path: string): Promise<void> {
    try {
      await mkdir(path);
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      // The root itself may be a link, as the user named it.
      if (path !== this.#root && (await kindOf(path)) !== "folder") throw obstacleFailure(path);
    }
  }
}

async function kindOf(path: string): Promise<"folder" | "link" | "other"> {
  try {
    const found = await lstat(path);
    if (found.isSymbolicLink()) return "link";
    return found.isDirectory() ? "folder" : "other";
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "other";
    throw error;
  }
}

function obstacleFailure(path: string): Failure {
  return new Failure(
    `move "${path}" away or pass another -o: it is in the way of what is to be saved in "${dirname(path)}"`,
  );
}
