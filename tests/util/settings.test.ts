import { describe, expect, test } from "bun:test";
import { UsageError } from "../../lib/util/flags.ts";
import {
  oneOf,
  READABLE_FILE,
  size,
  TEXT,
  TOKEN,
  wholeNumber,
  type Kind,
} from "../../lib/util/kinds.ts";
import { describeSettings, Settings, type SettingTable } from "../../lib/util/settings.ts";

const TABLE = {
  port: {
    variable: "PORT",
    flag: "port",
    kind: wholeNumber(1, 99),
    default: "80",
    help: "where to listen",
  },
  folders: {
    variable: "FOLDERS",
    flag: "folder",
    kind: TEXT,
    separator: ":",
    help: "what to read",
  },
  name: { variable: "NAME", flag: "name", kind: TEXT, isRequired: true, help: "who it is" },
  token: { variable: "TOKEN", kind: TOKEN, secret: true, help: "who may come in" },
  secret: { variable: "SECRET", kind: TEXT, isRequired: true, secret: true, help: "what it knows" },
} satisfies SettingTable;

describe("a value", () => {
  test.each<[string, string[], Record<string, string>, number]>([
    ["the flag's before all others", ["--port", "1"], { PORT: "2" }, 1],
    ["the variable's without a flag", [], { PORT: "2" }, 2],
    ["the default without either", [], {}, 80],
    ["the default where the variable is empty", [], { PORT: "" }, 80],
  ])("is %s", (_, argv, env, expected) => {
    expect(new Settings(TABLE, argv, env).read("port")).toBe(expected);
  });

  test("that was not given and has no default is null", () => {
    expect(new Settings(TABLE, [], {}).read("token")).toBeNull();
    expect(new Settings(TABLE, [], { TOKEN: "5" }).read("token")).toBe("5");
  });

  test("can be asked for by another kind, where other settings decide", () => {
    const settings = new Settings(TABLE, [], { PORT: "9" });
    expect(() => settings.read("port", wholeNumber(1, 8))).toThrow(
      'PORT is "9", expected a whole number from 1 to 8',
    );
    expect(() => new Settings(TABLE, [], {}).read("port", wholeNumber(1, 8))).toThrow(
      'PORT is "80", expected',
    );
  });

  test("that is missing is asked for in the ways there are", () => {
    const settings = new Settings(TABLE, [], {});
    expect(() => settings.read("secret")).toThrow(
      new UsageError("SECRET is missing, set SECRET, expected a text that is not empty"),
    );
    expect(() => settings.read("name")).toThrow(
      "NAME is missing, pass --name or set NAME, expected",
    );
  });

  test("that is a secret is not repeated", () => {
    const settings = new Settings(TABLE, [], { TOKEN: "hunter 2" });
    expect(() => settings.read("token")).toThrow("TOKEN has a wrong value, expected");
  });
});

test.each<[string[], Record<string, string>, string[]]>([
  [[], {}, []],
  [[], { FOLDERS: "a:b c::" }, ["a", "b c"]],
  [["--folder", "x:y", "--folder=z"], { FOLDERS: "a:b" }, ["x:y", "z"]],
])("a list from %j and %j is %j", (argv, env, expected) => {
  expect(new Settings(TABLE, argv, env).read("folders")).toEqual(expected);
});

test("an empty value in a list of flags is refused", () => {
  const settings = new Settings(TABLE, ["--folder", "a", "--folder="], {});
  expect(() => settings.read("folders")).toThrow(UsageError);
});

test("all but some are read by their names, and a mistake in those some is not met", () => {
  const settings = new Settings(TABLE, [], { PORT: "x", NAME: "a", SECRET: "b", FOLDERS: "c" });
  const expected = { folders: ["c"], name: "a", token: null, secret: "b" };
  expect(settings.readAllBut("port")).toEqual(expected);
  expect(() => settings.readAllBut("name")).toThrow('PORT is "x", expected');
});

test("flags that are not in the table are refused", () => {
  expect(() => new Settings(TABLE, ["--token", "x"], {})).toThrow('unknown flag "--token"');
  expect(new Settings(TABLE, ["-h"], {}).helpWanted).toBe(true);
  expect(new Settings(TABLE, [], {}).helpWanted).toBe(false);
});

describe("a kind takes", () => {
  test.each<[string, Kind<unknown>, string, unknown]>([
    ["text", TEXT, " ", " "],
    ["a token", TOKEN, "x".repeat(512), "x".repeat(512)],
    ["the least number", wholeNumber(0, 9), "0", 0],
    ["the most", wholeNumber(0, 9), "9", 9],
    ["the least size", size(1024, 2048), "1KiB", 1024],
    ["the most", size(1024, 2048), "2048", 2048],
    ["a size without a limit", size(0), "100GiB", 100 * 1024 ** 3],
    ["one of several", oneOf(["a", "b"]), "b", "b"],
    ["a file", READABLE_FILE, "package.json", "package.json"],
  ])("%s", (_, { schema }, text, value) => {
    expect(schema.parse(text)).toEqual(value);
  });

  test.each<[string, Kind<unknown>, string]>([
    ["text", TEXT, ""],
    ["token", TOKEN, "a b"],
    ["token", TOKEN, "x".repeat(513)],
    ["number below", wholeNumber(1, 9), "0"],
    ["number above", wholeNumber(1, 9), "10"],
    ["number with a sign", wholeNumber(0, 9), "+1"],
    ["number with an exponent", wholeNumber(0, 9), "1e0"],
    ["number in hex", wholeNumber(0, 99), "0x1"],
    ["size below", size(1024, 2048), "1023"],
    ["size above", size(1024, 2048), "2049"],
    ["size", size(0), "much"],
    ["word", oneOf(["a", "b"]), "c"],
    ["file", READABLE_FILE, "lib"],
    ["file", READABLE_FILE, "none.pem"],
  ])("no other %s: %#", (_, { schema }, text) => {
    expect(schema.safeParse(text).success).toBe(false);
  });
});

test("what a kind expects is told with its limits", () => {
  expect(wholeNumber(1, 9).expected).toBe("a whole number from 1 to 9");
  expect(size(1024, 2048).expected).toStartWith("a size from 1.0 KiB to 2.0 KiB,");
  expect(size(1024).expected).toStartWith("a size of at least 1.0 KiB,");
  expect(oneOf(["a", "b"]).expected).toBe("one of a, b");
});

test("the help shows every setting with its flag and default", () => {
  expect(describeSettings(TABLE)).toBe(
    [
      "  --help, -h\n      show this",
      "  --config FILE\n      lines of NAME=value, which override the environment; # begins a comment",
      "  --port, PORT\n      where to listen (default: 80)",
      "  --folder (repeatable), FOLDERS\n      what to read",
      "  --name, NAME\n      who it is",
      "  TOKEN\n      who may come in",
      "  SECRET\n      what it knows",
    ].join("\n"),
  );
});
