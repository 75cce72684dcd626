import { describe, expect, test } from "bun:test";
import { LOG_LEVELS, Logger, type LogFormat, type LogLevel } from "../../lib/util/logger.ts";

/** Characters that terminals obey, or that change how the text around them is shown. */
const UNFIT = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const EVIL = [
  "\n",
  "\r\n",
  "\u001b[2J",
  "\u2028",
  "\u2029",
  "\0",
  "\u0085",
  "\u009b2J",
  "\u202e",
  "\u2066",
  "\u200b",
];

/** Returns a logger that appends its lines to `lines`, without their times. */
function loggerTo(
  lines: string[],
  format: LogFormat = "pretty",
  level: LogLevel = "debug",
): Logger {
  return new Logger({
    level,
    format,
    write: (line) => lines.push(line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, "")),
  });
}

/** Returns the single line that a call logs. */
function written(call: (logger: Logger) => void, format?: LogFormat): string {
  const lines: string[] = [];
  call(loggerTo(lines, format));
  expect(lines).toHaveLength(1);
  return lines[0]!;
}

describe("a level", () => {
  test.each([...LOG_LEVELS])("%s lets in what is as grave, or graver", (level) => {
    const lines: string[] = [];
    const logger = loggerTo(lines, "pretty", level);
    for (const each of LOG_LEVELS) logger[each](`a ${each} line`);
    const expected = LOG_LEVELS.slice(LOG_LEVELS.indexOf(level));
    expect(lines.map((line) => line.split(" ")[0]!.toLowerCase())).toEqual([...expected]);
  });

  test("does not keep back what others wait for", () => {
    const lines: string[] = [];
    loggerTo(lines, "pretty", "error").announce("listening on http://127.0.0.1:1");
    expect(lines).toEqual(["INFO  listening on http://127.0.0.1:1\n"]);
  });
});

describe("a line for a person", () => {
  test("has the time in UTC first", () => {
    let line = "";
    const write = (text: string) => (line = text);
    new Logger({ level: "info", format: "pretty", write }).info("up");
    expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO  up\n$/);
  });

  test("has the fields after the message, in quotes where they need them", () => {
    const fields = {
      port: 80,
      ok: true,
      path: "a/b.txt",
      name: "two words",
      none: null,
      not: undefined,
    };
    expect(written((logger) => logger.info("up", fields))).toBe(
      'INFO  up port=80 ok=true path=a/b.txt name="two words"\n',
    );
  });

  test.each(EVIL)("stays one line, whatever a site sends: %j", (evil) => {
    const line = written((logger) =>
      logger.warn(`a${evil}INFO  forged`, { name: `b${evil}forged` }),
    );
    expect(line.slice(0, -1)).not.toMatch(UNFIT);
    expect(line).toEndWith("\n");
  });

  test.each(EVIL)("of a bug makes up no line by its stack: %j", (evil) => {
    const bug = new Error(`bug${evil}INFO  forged`);
    const line = written((logger) => logger.error("failed", {}, bug));
    expect(line.replaceAll("\n", "")).not.toMatch(UNFIT);
    expect(line).not.toMatch(/\n(?! {2}|$)/);
  });

  test("of a bug has its stack", () => {
    const bug = new Error("bug");
    const line = written((logger) => logger.error("failed", { id: 1 }, bug));
    expect(line).toBe(`ERROR failed id=1\n${bug.stack?.replaceAll(/^/gm, "  ")}\n`);
  });
});

describe("a line for a machine", () => {
  test.each(EVIL)("is fit for a terminal, and tells what was sent: %j", (evil) => {
    const name = `b${evil}c`;
    const line = written((logger) => logger.warn(`a${evil}`, { name }), "json");
    expect(line.slice(0, -1)).not.toMatch(UNFIT);
    expect(JSON.parse(line)).toMatchObject({ message: `a${evil}`, name });
  });

  test("is one JSON object", () => {
    const line = written((logger) => logger.info("two\nlines", { size: 5, none: null }), "json");
    expect(line).toEndWith("}\n");
    expect(line.indexOf("\n")).toBe(line.length - 1);
    expect(JSON.parse(line)).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: "info",
      message: "two\nlines",
      size: 5,
      none: null,
    });
  });

  test("of a bug has its stack as a field", () => {
    const bug = new Error("bug");
    const line = written((logger) => logger.error("failed", undefined, bug), "json");
    expect(JSON.parse(line)).toMatchObject({ level: "error", stack: bug.stack });
  });

  test("of an error without a stack has what it says", () => {
    const error = new DOMException("gone", "AbortError");
    const line = written((logger) => logger.error("failed", undefined, error), "json");
    expect(JSON.parse(line)).toMatchObject({ stack: "AbortError: gone" });
  });

  test("of what was thrown and is no error has none", () => {
    const line = written((logger) => logger.error("failed", { id: 1 }, "odd"), "json");
    expect(JSON.parse(line)).not.toHaveProperty("stack");
  });
});

test("a logger with fields adds them to each of its lines, and leaves the other as it was", () => {
  const lines: string[] = [];
  const logger = loggerTo(lines);
  const inner = logger.with({ client: "a", part: "x" }).with({ part: "y" });
  inner.info("one", { n: 1 });
  inner.info("two", { client: "b" });
  logger.info("three");
  expect(lines).toEqual([
    "INFO  one client=a part=y n=1\n",
    "INFO  two client=b part=y\n",
    "INFO  three\n",
  ]);
});
