import { homedir } from "node:os";

/* Paths by which a server might try to read files that the client must not send. */

/** Paths that lead out of the root by "..". */
export const UP = {
  plainly: "../secret.txt",
  "twice over": "sub/../../secret.txt",
  "with a detour": "./sub/.././.././secret.txt",
  "with slashes twice": "..//secret.txt",
  "four dots": "....//secret.txt",
  "through what is not there": "nothing/../../secret.txt",
  "through a file": "data.txt/../../secret.txt",
  "through a link": "link/../../secret.txt",
  "through a link that leads up": "up/secret.txt",
  "all the way": `${"../".repeat(1300)}etc/passwd`,
  "all the way, slowly": `${"./".repeat(2000)}../secret.txt`,
};

/** Paths that lead out of the root if a program decodes them. */
export const CODED = {
  "%2e": "%2e%2e/secret.txt",
  "%2f": "..%2fsecret.txt",
  "%252f": "..%252fsecret.txt",
  "%5c": "..%5csecret.txt",
  "overlong UTF-8, coded": "..%c0%afsecret.txt",
  "%u002f": "..%u002fsecret.txt",
  "an entity": "&#46;&#46;/secret.txt",
  "an escape": "\\u002e\\u002e/secret.txt",
  "a URL": "file:///etc/passwd",
};

/** Paths that lead out of the root if a program replaces look-alike characters by ASCII. */
export const LOOK_ALIKE = {
  "two dot leader": "\u2025/secret.txt",
  "one dot leaders": "\u2024\u2024/secret.txt",
  "full-width dots": "\uFF0E\uFF0E/secret.txt",
  "full-width slash": "..\uFF0Fsecret.txt",
  "division slash": "..\u2215secret.txt",
  "fraction slash": "..\u2044secret.txt",
  "a space of no width": "..\u200B/secret.txt",
  "text from right to left": "\u202E../secret.txt",
  "half a surrogate": "..\uD800/secret.txt",
};

/** Paths that have a special meaning on Windows. */
export const WINDOWS = {
  backslashes: "..\\secret.txt",
  "a drive": "C:\\Windows\\win.ini",
  "a drive's folder": "C:secret.txt",
  "a share": "\\\\127.0.0.1\\c$\\secret.txt",
  "a share with slashes": "//127.0.0.1/c$/secret.txt",
  "a device path": "\\\\?\\C:\\secret.txt",
  "a pipe": "\\\\.\\pipe\\secret",
  "another stream": "data.txt::$DATA",
  "a device": "CON",
  "a device in a folder": "sub/NUL.txt",
  "a dot behind": ".env.",
  "a short name": "SECRET~1.TXT",
};

/** Paths that have a special meaning to the operating system or a shell. */
export const SYSTEM = {
  passwords: "/etc/passwd",
  "its own memory": "/proc/self/mem",
  "its environment": "/proc/self/environ",
  "the root of all by /proc": `/proc/self/root/etc/passwd`,
  "its folder by /proc": "/proc/self/cwd/secret.txt",
  "a descriptor": "/proc/self/fd/0",
  "a thread's": "/proc/thread-self/cwd/secret.txt",
  "a descriptor by /dev": "/dev/fd/0",
  "a device without end": "/dev/zero",
  "a terminal": "/dev/tty",
  "a home": `${homedir()}/.ssh/id_rsa`,
  "home by ~": "~/.ssh/id_rsa",
  "home and up": "~/../etc/passwd",
  "another's home": "~root/.ssh/id_rsa",
  "home by $HOME": "$HOME/../etc/passwd",
  "a variable": "$PWD/secret.txt",
  "a variable in braces": "${PWD}/secret.txt",
  "a command": "$(cat ../secret.txt)",
  "a command behind": "data.txt; cat ../secret.txt",
  "a pattern": "../secret*",
  "nothing to see": "data.txt\n../secret.txt",
};

/** Paths inside the root that lead outside by a link, or that the owner's rules withhold. */
export const IN_THE_ROOT = {
  "a link to a file": "file",
  "a link by its whole path": "absolute",
  "a link to a link": "chain",
  "a link to a folder": "to-outside/file",
  "a link to the root of all": "to-all/etc/passwd",
  "a link to /proc": "to-proc/etc/passwd",
  "a link to the folder it runs in": "to-cwd/secret.txt",
  "a link to its descriptors": "to-descriptors/0",
  "a link to a device": "to-device",
  "a device, where one can be made": "device",
  "a FIFO": "fifo",
  "a folder": "folder",
  "the root": ".",
  "a hidden file": ".env",
  "a hidden folder's": "sub/.git/config",
  "a link to a hidden folder's": "to-hidden",
  "a key, by another case": "till.KEY",
  "a link to a key": "to-key",
  "a key of SSH": "id_rsa",
  "what the owner denies": "private.bak",
  "the client's key": "state/key",
  "a link to the client's key": "to-state/key",
};

/** Names and paths of extreme length. */
export const LONG = {
  "a name of 256 bytes": "x".repeat(256),
  "a path of 4 KiB": "x/".repeat(2048),
  "a path of 4 KiB that comes back": `${"sub/../".repeat(580)}../secret.txt`,
};
