import { safeFileName, shortFileName } from "../../util/safe-file-name.ts";

/** A folder of a set on the disk. */
interface Folder {
  /** Its path within the set; "" for the set itself. */
  path: string;
  /** Folders inside it, by their names at the site. */
  folders: Map<string, Folder>;
  /**
   * Names in use, in the folded form in which some file systems compare them. Each has the next number to
   * try, so that many files of the same name are not counted again and again.
   */
  taken: Map<string, number>;
}

/**
 * The paths of a set's files on the disk. Relative paths are kept, and each name is made safe. Names that
 * some file system takes for the same, of files or folders, get `-2`, `-3`, … in the order in which the
 * files come.
 */
export class SetNames {
  readonly #root: Folder = { path: "", folders: new Map(), taken: new Map() };

  /**
   * @param path of a file at the site, relative to its root, separated by `/`; each file is added once
   * @returns its path within the set
   */
  add(path: string): string {
    const names = path.split("/");
    const file = names.pop() ?? "";
    const folder = names.reduce((parent, name) => this.#folderIn(parent, name), this.#root);
    return pathIn(folder, freeName(folder, file));
  }

  #folderIn(parent: Folder, name: string): Folder {
    let folder = parent.folders.get(name);
    if (!folder) {
      folder = {
        path: pathIn(parent, freeName(parent, name)),
        folders: new Map(),
        taken: new Map(),
      };
      parent.folders.set(name, folder);
    }
    return folder;
  }
}

function pathIn(folder: Folder, name: string): string {
  return folder.path === "" ? name : `${folder.path}/${name}`;
}

/** Takes the first free name in a folder. */
function freeName({ taken }: Folder, name: string): string {
  // A backslash is part of this one name, not a separator.
  const safe = safeFileName(name.replaceAll("\\", "_"));
  for (let n = taken.get(spellingOf(safe)) ?? 1; ; n++) {
    const candidate = shortFileName(safe, n === 1 ? "" : `-${n}`);
    const spelling = spellingOf(candidate);
    if (taken.has(spelling)) continue;
    taken.set(spelling, 2);
    taken.set(spellingOf(safe), n + 1);
    return candidate;
  }
}

function spellingOf(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
