import { describe, expect, test } from "bun:test";
import { UsageError } from "../../lib/util/flags.ts";
import {
  describeSettings,
  oneOf,
  READABLE_FILE,
  Settings,
  size,
  TEXT,
  TOKEN,
  wholeNumber,
  type Kind,
} from "../../lib/util/settings.ts";

const SPECS = {
  PORT: { flag: "port", default: "80", help: "where to listen" },
  FOLDERS: { flag: "folder", multiple: true, help: "what to read" },
  TOKEN: { secret: true, help: "who may come in" },
};

describe("a value", () => {
  test.each<[string, string[], Record<string, string>, number]>([
    ["the flag's before all others", ["--port", "1"], { PORT: "2" }, 1],
    ["the variable's without a flag", [], { PORT: "2" }, 2],
    ["the default without either", [], {}, 80],
    ["the default where the variable is empty", [], { PORT: "" }, 80],
  ])("is %s", (_, argv, env, expected) => {
    expect(new Settings(SPECS, argv, env).read("PORT", wholeNumber(1, 99))).toBe(expected);
  });

  test("that was not given is null, whatever the default", () => {
    expect(new Settings(SPECS, [], {}).readOptional("PORT", wholeNumber(1, 99))).toBeNull();
    expect(new Settings(SPECS, [], { PORT: "5" }).readOptional("PORT", TEXT)).toBe("5");
  });

  test("that is missing is asked for in the ways there are", () => {
    const settings = new Settings(SPECS, [], {});
    expect(() => settings.read("TOKEN", TEXT)).toThrow(
      new UsageError("TOKEN is missing, set TOKEN, expected a text that is not empty"),
    );
    expect(() => settings.read("FOLDERS", TEXT)).toThrow(
      "FOLDERS is missing, pass --folder or set FOLDERS, expected",
    );
  });

  test("that is a secret is not repeated", () => {
    const settings = new Settings(SPECS, [], { TOKEN: "hunter 2" });
    expect(() => settings.read("TOKEN", TOKEN)).toThrow("TOKEN has a wrong value, expected");
  });
});

test.each<[string[], Record<string, string>, string[]]>([
  [[], {}, []],
  [[], { FOLDERS: "a:b c::" }, ["a", "b c"]],
  [["--folder", "x:y", "--folder=z"], { FOLDERS: "a:b" }, ["x:y", "z"]],
])("a list from %j and %j is %j", (argv, env, expected) => {
  expect(new Settings(SPECS, argv, env).readList("FOLDERS", ":")).toEqual(expected);
});

test("an empty value in a list of flags is refused", () => {
  const settings = new Settings(SPECS, ["--folder", "a", "--folder="], {});
  expect(() => settings.readList("FOLDERS", ":")).toThrow(UsageError);
});

test("flags that are not in the table are refused", () => {
  expect(() => new Settings(SPECS, ["--token", "x"], {})).toThrow('unknown flag "--token"');
  expect(new Settings(SPECS, ["-h"], {}).helpWanted).toBe(true);
  expect(new Settings(SPECS, [], {}).helpWanted).toBe(false);
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
  expect(describeSettings(SPECS)).toBe(
    [
      "  --help, -h\n      show this",
      "  --port, PORT\n      where to listen (default: 80)",
      "  --folder (repeatable), FOLDERS\n      what to read",
      "  TOKEN\n      who may come in",
    ].join("\n"),
  );
});
