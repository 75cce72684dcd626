import { stdout } from "./output.ts";
import { plainJson, plainLines, plainText } from "./plain-text.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ["pretty", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Named values of a log line, beside its message. They must not contain secrets. */
export type LogFields = Record<string, string | number | boolean | null | undefined>;

export interface LoggerOptions {
  level: LogLevel;
  format: LogFormat;
  /** Writes a finished log line, with its line break. By default to standard output. */
  write?: (line: string) => void;
  /** Called before each line that the level allows. False drops the line. */
  mayWrite?: (message: string) => boolean;
}

/** Writes log lines, as text for a terminal or as JSON for machines. */
export class Logger {
  constructor(
    private readonly options: LoggerOptions,
    private readonly context: LogFields = {},
  ) {}

  /** Returns a logger that adds these fields to each of its lines. */
  with(fields: LogFields): Logger {
    return new Logger(this.options, { ...this.context, ...fields });
  }

  /** Returns a logger that writes only lines for which `mayWrite` returns true. */
  where(mayWrite: (message: string) => boolean): Logger {
    return new Logger({ ...this.options, mayWrite }, this.context);
  }

  debug(message: string, fields?: LogFields): void {
    this.log("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.log("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.log("warn", message, fields);
  }

  /** Logs an error. @param cause the error behind the message, whose stack trace is logged too */
  error(message: string, fields?: LogFields, cause?: unknown): void {
    const stack = cause instanceof Error ? cause.stack || String(cause) : undefined;
    this.log("error", message, stack === undefined ? fields : { ...fields, stack });
  }

  /**
   * Writes a line whatever the log level is set to. For lines that other programs wait for, such as
   * "listening".
   */
  announce(message: string, fields?: LogFields): void {
    this.write("info", message, fields);
  }

  log(level: LogLevel, message: string, fields?: LogFields): void {
    const { level: minLevel, mayWrite } = this.options;
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(minLevel)) return;
    if (mayWrite && !mayWrite(message)) return;
    this.write(level, message, fields);
  }

  private write(level: LogLevel, message: string, fields?: LogFields): void {
    const write = this.options.write ?? ((line) => stdout.write(line));
    const allFields = { ...this.context, ...fields };
    const time = new Date().toISOString();
    write(
      this.options.format === "json"
        ? `${plainJson({ time, level, message, ...allFields })}\n`
        : `${time} ${level.toUpperCase().padEnd(5)} ${oneLine(message)}${pretty(allFields)}\n`,
    );
  }
}

function pretty(fields: LogFields): string {
  let text = "";
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    text += name === "stack" ? `\n${indented(String(value))}` : ` ${name}=${quoted(String(value))}`;
  }
  return text;
}

/** Replaces line breaks by spaces, so that text from outside cannot forge a log line of its own. */
function oneLine(text: string): string {
  return plainText(text.replace(/[\t\r\n]+/g, " "));
}

/** Indents the lines of a stack trace, so that text in an error cannot forge a log line of its own. */
function indented(stack: string): string {
  return plainLines(stack).replaceAll(/^/gm, "  ");
}

function quoted(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : plainJson(text);
}
