import { safeFileName, shortFileName } from "../../util/safe-file-name.ts";

/** A folder of a set, and the names used in it. */
interface Folder {
  /** Path of the folder within the set, with safe names; "" for the set itself. */
  path: string;
  /** Subfolders, by their names at the site. */
  folders: Map<string, Folder>;
  /**
   * The key is a used name in lower case and Unicode form NFC, because some file systems compare names in
   * this form. The value is the next number to append if the same name comes again, so that the search for a
   * free number does not begin at 2 each time. The value is negative if a file at the site has exactly this
   * name.
   */
  taken: Map<string, number>;
  /**
   * Names at the site that are stored under another name, or that are not in lower case and NFC. `taken` does
   * not show that they were listed, so they are kept to detect a file that is listed twice.
   */
  listedNames: Set<string>;
}

/**
 * Chooses the paths under which a set's files are stored. Their paths at the site are kept, and each name is
 * made safe. A name that some file system considers equal to an earlier one gets `-2`, `-3`, …
 */
export class SetNames {
  readonly #root: Folder = newFolder("");

  /**
   * Chooses the path of the next file.
   * @param path path of the file at the site, relative to its root, separated by `/`
   * @returns the file's path within the set; null if this file was already added
   */
  add(path: string): string | null {
    const names = path.split("/");
    const file = names.pop() ?? "";
    const folder = names.reduce((parent, name) => this.#folderIn(parent, name), this.#root);
    if ((folder.taken.get(file) ?? 0) < 0 || folder.listedNames.has(file)) return null;
    const name = freeName(folder, file);
    if (name === file && spellingOf(file) === file) folder.taken.set(file, -FIRST_NUMBER);
    else folder.listedNames.add(file);
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

/** First number that is appended to a name that is already used. */
const FIRST_NUMBER = 2;

function newFolder(path: string): Folder {
  return { path, folders: new Map(), taken: new Map(), listedNames: new Set() };
}

/** Returns a safe name that is not used in a folder yet, and marks it as used. */
function freeName({ taken }: Folder, name: string): string {
  // On the site's system a backslash is part of the name, not a separator.
  const safe = safeFileName(name.replaceAll("\\", "_"));
  const safeSpelling = spellingOf(safe);
  const nextNumber = taken.get(safeSpelling) ?? 1;
  for (let n = Math.abs(nextNumber); ; n++) {
    const candidate = shortFileName(safe, n === 1 ? "" : `-${n}`);
    const spelling = spellingOf(candidate);
    if (taken.has(spelling)) continue;
    taken.set(spelling, FIRST_NUMBER);
    taken.set(safeSpelling, nextNumber < 0 ? -(n + 1) : n + 1);
    return candidate;
  }
}

function spellingOf(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
