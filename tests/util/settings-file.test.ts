import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TEXT, TOKEN } from "../../lib/util/kinds.ts";
import { Settings, type SettingTable } from "../../lib/util/settings.ts";
import { changeSettings, parseSettings, withConfigFile } from "../../lib/util/settings-file.ts";

const TABLE = {
  id: { variable: "SITE_ID", flag: "id", kind: TEXT, help: "" },
  token: { variable: "SITE_TOKEN", kind: TOKEN, secret: true, help: "" },
} satisfies SettingTable;

const parse = (text: string) => parseSettings(text, "a.conf", TABLE);

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "fds-settings-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a file of settings", () => {
  test.each<[text: string, settings: Record<string, string>]>([
    ["", {}],
    ["# SITE_ID=a\n\n  # b\n", {}],
    ["SITE_ID=a", { SITE_ID: "a" }],
    ["\uFEFFSITE_ID=a\r\nSITE_TOKEN=b\r\n", { SITE_ID: "a", SITE_TOKEN: "b" }],
    ["  SITE_ID = a b # c  \n", { SITE_ID: "a b # c" }],
    ["SITE_ID=a=b", { SITE_ID: "a=b" }],
    ["SITE_ID=", { SITE_ID: "" }],
    ["SITE_ID=' a'\nSITE_TOKEN=\"b\"", { SITE_ID: " a", SITE_TOKEN: "b" }],
    ["SITE_ID='a\"", { SITE_ID: "'a\"" }],
    ['SITE_ID="', { SITE_ID: '"' }],
  ])("%j says %j", (text, settings) => {
    expect(parse(text)).toEqual(settings);
  });

  test.each([
    [
      "SITE_ID=a\nSITE_NAME=b",
      'line 2 of "a.conf" sets "SITE_NAME", expected one of SITE_ID SITE_TOKEN',
    ],
    ["\n# a\n\nsite_id=a", 'line 4 of "a.conf" sets "site_id", expected'],
    ["toString=1", 'line 1 of "a.conf" sets "toString"'],
    ["SITE_ID=a\nSITE_ID=b", 'line 2 of "a.conf" sets SITE_ID once more'],
    ["SITE_ID", 'line 1 of "a.conf" is no setting, expected NAME=value'],
    ["export SITE_ID=a", 'line 1 of "a.conf" is no setting'],
  ])("%j is refused", (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test("never repeats a value in a message, as it may be a secret", () => {
    expect(() => parse("hunter2\n")).toThrow(
      /^line 1 of "a.conf" is no setting, expected NAME=value$/,
    );
  });
});

describe("--config", () => {
  const read = async (text: string, argv: string[], env: Record<string, string>) => {
    const path = join(folder, "site.conf");
    await writeFile(path, text);
    const words = ["--config", path, ...argv];
    const given = withConfigFile(TABLE, words, env);
    return { ...given, id: new Settings(TABLE, words, given.env).read("id"), path };
  };

  test("comes after flags and before the environment", async () => {
    const env = { SITE_ID: "environment" };
    expect(await read("SITE_ID=file", ["--id", "flag"], env)).toMatchObject({ id: "flag" });
    expect(await read("SITE_ID=file", [], env)).toMatchObject({ id: "file" });
    expect(await read("# nothing", [], env)).toMatchObject({ id: "environment" });
    expect(await read("SITE_ID=", [], env)).toMatchObject({ id: null });
  });

  test("tells of a file that holds a secret", async () => {
    const { path, secretFile } = await read("SITE_TOKEN=a", [], {});
    expect(secretFile).toBe(path);
    expect(await read("SITE_ID=a\nSITE_TOKEN=", [], {})).toMatchObject({ secretFile: null });
  });

  test("names a file that cannot be read", () => {
    const argv = ["--config", join(folder, "none")];
    expect(() => withConfigFile(TABLE, argv, {})).toThrow(
      /--config ".+none" cannot be read \(ENOENT\)/,
    );
    expect(() => withConfigFile(TABLE, ["--config", folder], {})).toThrow("(EISDIR)");
  });

  test("refuses a file that is no list of settings at once, however large it is", async () => {
    const path = join(folder, "large");
    await writeFile(path, "#\n".repeat(100_000));
    expect(() => withConfigFile(TABLE, ["--config", path], {})).toThrow("is too large");
  });

  test("without a file is told as any flag without a value", () => {
    const { env } = withConfigFile(TABLE, ["--config"], {});
    expect(() => new Settings(TABLE, ["--config"], env)).toThrow('flag "--config" has no value');
  });
});

describe("a change of settings", () => {
  test("keeps comments and other lines, and adds what is new", () => {
    const text = "# the till\nSITE_ID=a\n\n# later\n#SITE_TOKEN=\n";
    expect(changeSettings(text, { SITE_ID: "b", SITE_TOKEN: "c" })).toBe(
      "# the till\nSITE_ID=b\n\n# later\n#SITE_TOKEN=\nSITE_TOKEN=c\n",
    );
    expect(changeSettings(text, { SITE_ID: null })).toBe("# the till\n\n# later\n#SITE_TOKEN=\n");
    expect(changeSettings(text, {})).toBe(text);
    expect(changeSettings("", {})).toBe("");
  });

  test("refuses a value of two lines, which would be two settings", () => {
    expect(() => changeSettings("", { SITE_ID: "a\nSITE_TOKEN=b" })).toThrow(
      "SITE_ID has a value of more than one line",
    );
  });

  test("is read as it was written, whatever the values are", () => {
    const value = fc.string({ unit: "grapheme" }).filter((text) => !/[\r\n\0]/.test(text));
    fc.assert(
      fc.property(value, value, (id, token) => {
        const text = changeSettings("# a\nSITE_ID=old\n", { SITE_ID: id, SITE_TOKEN: token });
        expect(parse(text)).toEqual({ SITE_ID: id, SITE_TOKEN: token });
        expect(changeSettings(text, { SITE_ID: id })).toBe(text);
      }),
      // Line separators that a dot in a regular expression does not match.
      {
        examples: [
          ["", "\u2028"],
          ["a\u2029b", '\u2028"\u2028'],
        ],
      },
    );
  });
});
