import { safeFileName, shortFileName } from "../../util/safe-file-name.ts";

/** A folder of a set on the disk. */
interface Folder {
  /** Its path within the set; "" for the set itself. */
  path: string;
  /** Folders inside it, by their names at the site. */
  folders: Map<string, Folder>;
  /**
   * Names in use, in the folded form in which some file systems compare them. Each has the next number to
   * try, so that many files of the same name are not counted again and again; below 0 where a file has
   * exactly this name at the site, too.
   */
  taken: Map<string, number>;
  /** Names at the site of all other files. Most sets have none: so each name is kept once. */
  others: Set<string>;
}

/**
 * The paths of a set's files on the disk. Relative paths are kept, and each name is made safe. Names that
 * some file system takes for the same, of files or folders, get `-2`, `-3`, … in the order in which the
 * files come.
 */
export class SetNames {
  readonly #root: Folder = newFolder("");

  /**
   * @param path of a file at the site, relative to its root, separated by `/`
   * @returns its path within the set; null: it was added before
   */
  add(path: string): string | null {
    const names = path.split("/");
    const file = names.pop() ?? "";
    const folder = names.reduce((parent, name) => this.#folderIn(parent, name), this.#root);
    if ((folder.taken.get(file) ?? 0) < 0 || folder.others.has(file)) return null;
    const name = freeName(folder, file);
    if (name === file && spellingOf(file) === file) folder.taken.set(file, -FIRST);
    else folder.others.add(file);
    return pathIn(folder, name);
  }

  #folderIn(parent: Folder, name: string): Folder {
    let folder = parent.folders.get(name);
    if (!folder) {
      folder = newFolder(pathIn(parent, freeName(parent, name)));
      parent.folders.set(name, folder);
    }
    return folder;
  }
}

function pathIn(folder: Folder, name: string): string {
  return folder.path === "" ? name : `${folder.path}/${name}`;
}

/** The number of the first file whose name is taken. */
const FIRST = 2;

function newFolder(path: string): Folder {
  return { path, folders: new Map(), taken: new Map(), others: new Set() };
}

/** Takes the first free name in a folder. */
function freeName({ taken }: Folder, name: string): string {
  // A backslash is part of this one name, not a separator.
  const safe = safeFileName(name.replaceAll("\\", "_"));
  const asked = spellingOf(safe);
  const known = taken.get(asked) ?? 1;
  for (let n = Math.abs(known); ; n++) {
    const candidate = shortFileName(safe, n === 1 ? "" : `-${n}`);
    const spelling = spellingOf(candidate);
    if (taken.has(spelling)) continue;
    taken.set(spelling, FIRST);
    taken.set(asked, known < 0 ? -(n + 1) : n + 1);
    return candidate;
  }
}

function spellingOf(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
