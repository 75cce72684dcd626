import { afterEach, beforeEach, expect, test } from "bun:test";
import fs, { constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  infoAt,
  infoFrom,
  infoOf,
  isUntouched,
  nanosecondsOf,
  openAt,
} from "../../lib/util/files-at.ts";
import { spawnSync } from "../support/spawn.ts";

/* Information about files from our own system calls, compared with that of Bun's calls. */

const isLinux = process.platform === "linux";

let folder: string;
let fd: number;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-files-at-"));
  fd = fs.openSync(folder, "r");
});
afterEach(async () => {
  fs.closeSync(fd);
  await rm(folder, { recursive: true, force: true });
});

const told = (name: string) => infoFrom(fs.lstatSync(join(folder, name), { bigint: true }));
/** Ignores the device number, which Bun and our calls compose differently. */
const apart = (info: ReturnType<typeof told>) => ({ ...info, device: 0 });

const THINGS: [what: string, make: (path: string) => void][] = [
  ["file", (path) => fs.writeFileSync(path, "x".repeat(10_000))],
  ["empty", (path) => fs.writeFileSync(path, "")],
  ["folder", (path) => fs.mkdirSync(path)],
  ["a\nb \\ é 😀", (path) => fs.writeFileSync(path, "odd")],
  ["n".repeat(255), (path) => fs.writeFileSync(path, "long")],
  ["link", (path) => fs.symlinkSync("/etc/passwd", path)],
  ["fifo", (path) => void spawnSync(["mkfifo", path])],
  ["large", (path) => void spawnSync(["truncate", "-s", "9000000000", path])],
  ["old", (path) => void spawnSync(["touch", "-d", "@-1.25", path])],
  ["exact", (path) => void spawnSync(["touch", "-d", "@1700000000.123456789", path])],
];

test.skipIf(!isLinux)("what has a name is told as by its whole path", () => {
  for (const [name, make] of THINGS) {
    make(join(folder, name));
    expect({ name, ...apart(infoAt(fd, name)) }).toEqual({ name, ...apart(told(name)) });
  }
  expect(infoAt(fd, "exact")).toMatchObject({ mtimeS: 1_700_000_000, mtimeNs: 123_456_789 });
  expect(infoAt(fd, "old")).toMatchObject({ mtimeS: -2, mtimeNs: 750_000_000 });
});

test.skipIf(!isLinux)("what is open is told by its descriptor", () => {
  fs.writeFileSync(join(folder, "file"), "12345");
  const file = openAt(fd, "file", constants.O_RDONLY);
  expect(fs.readFileSync(file, "utf8")).toBe("12345");
  expect(infoOf(file)).toEqual(infoAt(fd, "file"));
  const before = infoOf(file);
  expect(isUntouched(before, infoOf(file))).toBe(true);
  fs.utimesSync(join(folder, "file"), 1, 1);
  expect(isUntouched(before, infoOf(file))).toBe(false);
  // A program that is started while the file is open does not inherit its descriptor.
  const { stdout } = spawnSync(["ls", "-l", "/proc/self/fd"]);
  expect(stdout.toString()).not.toContain(folder);
  fs.closeSync(file);
});

test.skipIf(!isLinux).each([
  ["none", "ENOENT"],
  ["file/x", "ENOTDIR"],
  ["n".repeat(256), "ENAMETOOLONG"],
  ["n".repeat(5_000), "ENAMETOOLONG"],
])("of %j is told with the system's error", (name, code) => {
  fs.writeFileSync(join(folder, "file"), "");
  expect(() => infoAt(fd, name)).toThrow(expect.objectContaining({ code }));
  expect(() => openAt(fd, name, constants.O_RDONLY)).toThrow(expect.objectContaining({ code }));
});

test.skipIf(!isLinux)(
  "a link is not followed where that is asked for, and no name ends early",
  () => {
    fs.symlinkSync("/etc/passwd", join(folder, "link"));
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    expect(() => openAt(fd, "link", flags)).toThrow(expect.objectContaining({ code: "ELOOP" }));
    fs.writeFileSync(join(folder, "file"), "");
    expect(() => infoAt(fd, "file\0x")).toThrow();
    expect(() => openAt(fd, "file\0x", constants.O_RDONLY)).toThrow();
  },
);

test.each([
  [1_700_000_000, 5, "1700000000000000005"],
  [1, 0, "1000000000"],
  [0, 7, "7"],
  [0, 0, "0"],
  [-2, 750_000_000, "-1250000000"],
  [9_223_372_036, 854_775_807, "9223372036854775807"],
  // Times after the year 2262, in nanoseconds, do not fit 64 bits and become negative.
  [9_223_372_036, 854_775_808, "-9223372036854775808"],
])("%p s and %p ns are %s", (s, ns, text) => {
  expect(nanosecondsOf(s, ns)).toBe(text);
});
