import { describe, expect, test } from "bun:test";
import * as z from "zod";
import {
  type Flag,
  type ParsedFlags,
  parseFlags,
  readSetting,
  UsageError,
} from "../../lib/util/flags.ts";

const FLAGS: Record<string, Flag> = {
  host: { type: "string" },
  root: { type: "string", multiple: true },
  json: { type: "boolean" },
};
const KNOWN = "--help --host --root --json";

describe("a command line is read:", () => {
  test.each<[string[], ParsedFlags["values"]]>([
    [[], {}],
    [["--host", "a"], { host: "a" }],
    [["--host=a"], { host: "a" }],
    [["--host="], { host: "" }],
    [["--host=--json"], { host: "--json" }],
    [["--host", "-1"], { host: "-1" }],
    [["--host", "a", "--host", "b"], { host: "b" }],
    [["--root", "a", "--root=b"], { root: ["a", "b"] }],
    [["--json"], { json: true }],
    [["--help"], { help: true }],
    [["-h"], { help: true }],
  ])("%j", (argv, values) => {
    expect({ ...parseFlags(argv, FLAGS).values }).toEqual(values);
  });

  test("words beside the flags, as many as there may be", () => {
    expect(parseFlags(["pull", "--json", "a"], FLAGS, 2).positionals).toEqual(["pull", "a"]);
    expect(parseFlags(["--", "--host"], FLAGS, 1).positionals).toEqual(["--host"]);
  });
});

describe("a mistake is named:", () => {
  test.each<[string[], string]>([
    [["--hots", "a"], `unknown flag "--hots", expected one of ${KNOWN}`],
    [["--no-json"], `unknown flag "--no-json", expected one of ${KNOWN}`],
    [["--constructor"], `unknown flag "--constructor", expected one of ${KNOWN}`],
    [["--toString=x"], `unknown flag "--toString", expected one of ${KNOWN}`],
    [["-x"], `unknown flag "-x", expected one of ${KNOWN}`],
    [["--host"], 'flag "--host" has no value, expected --host VALUE'],
    [["--host", "--json"], 'flag "--host" has no value, expected --host VALUE'],
    [["--root", "-h"], 'flag "--root" has no value, expected --root VALUE'],
    [["--json=yes"], 'flag "--json" has the value "yes", expected no value'],
    [["word"], `unexpected word "word", expected flags such as ${KNOWN}`],
    [["--", "--host"], `unexpected word "--host", expected flags such as ${KNOWN}`],
  ])("%j", (argv, message) => {
    expect(() => parseFlags(argv, FLAGS)).toThrow(new UsageError(message));
  });
});

describe("a setting", () => {
  const schema = z.string().regex(/^\d+$/).transform(Number);

  test("is what its schema makes of the text", () => {
    expect(readSetting({ source: "--port", text: "80" }, schema, "a number")).toBe(80);
  });

  test.each([
    [{ source: "--port", text: "x" }, '--port is "x", expected a number'],
    [{ source: "TOKEN", text: "x", secret: true }, "TOKEN has a wrong value, expected a number"],
    [{ source: "URL", text: "http://me:x@y@host" }, 'URL is "http://…@host", expected a number'],
    [{ source: "URL", text: "me:x@y@host" }, 'URL is "…@host", expected a number'],
  ])("that is wrong is named, a secret not shown: %j", (setting, message) => {
    expect(() => readSetting(setting, schema, "a number")).toThrow(new UsageError(message));
  });
});
