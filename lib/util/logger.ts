import { stdout } from "./output.ts";
import { plainJson, plainLines, plainText } from "./plain-text.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ["pretty", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Fields of a line, beside its message. Never put a secret here. */
export type LogFields = Record<string, string | number | boolean | null | undefined>;

export interface LoggerOptions {
  level: LogLevel;
  format: LogFormat;
  /** Called with a finished line; by default it goes to standard output. */
  write?: (line: string) => void;
  /** Asked before each line that the level allows. */
  mayWrite?: (message: string) => boolean;
}

/** Lines of text for a terminal, or of JSON for a machine. */
export class Logger {
  constructor(
    private readonly options: LoggerOptions,
    private readonly context: LogFields = {},
  ) {}

  /** A logger whose lines also carry these fields. */
  with(fields: LogFields): Logger {
    return new Logger(this.options, { ...this.context, ...fields });
  }

  /** A logger that writes only the lines that `mayWrite` lets through. */
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

  /** @param cause its stack is logged too, except for an error that a person made */
  error(message: string, fields?: LogFields, cause?: unknown): void {
    const stack = cause instanceof Error ? cause.stack || String(cause) : undefined;
    this.log("error", message, stack === undefined ? fields : { ...fields, stack });
  }

  /** Writes a line whatever the level: other programs wait for it. */
  announce(message: string, fields?: LogFields): void {
    this.write("info", message, fields);
  }

  log(level: LogLevel, message: string, fields?: LogFields): void {
    const { level: least, mayWrite } = this.options;
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least)) return;
    if (mayWrite && !mayWrite(message)) return;
    this.write(level, message, fields);
  }

  private write(level: LogLevel, message: string, fields?: LogFields): void {
    const write = this.options.write ?? ((line) => stdout.write(line));
    const all = { ...this.context, ...fields };
    const time = new Date().toISOString();
    write(
      this.options.format === "json"
        ? `${plainJson({ time, level, message, ...all })}\n`
        : `${time} ${level.toUpperCase().padEnd(5)} ${oneLine(message)}${pretty(all)}\n`,
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

/** Escapes line breaks, so that text from outside cannot make up a line of the log. */
function oneLine(text: string): string {
  return plainText(text.replace(/[\t\r\n]+/g, " "));
}

/** Indents a stack, so that none of its lines can be taken for a line of the log. */
function indented(stack: string): string {
  return plainLines(stack).replaceAll(/^/gm, "  ");
}

function quoted(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : plainJson(text);
}
